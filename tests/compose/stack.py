"""Runs the demo in containers as its users do, with its own project, port and volumes."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from runtime import __version__
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tools.broker.ports import free_port
from tools.waiting import wait_until

ROOT = Path(__file__).parents[2]
IMAGE = f"user-login-pipeline:{__version__}"
PATIENCE = 300.0  # seconds; a machine that is busy with something else starts Kafka slowly
INPUT, OUTPUT, GROUP = "user-login", "processed-user-login", "user-login-pipeline"


def run(command: Sequence[str], variables: dict[str, str] | None = None, text: str | None = None) -> str:
    """Run a command in the repository and return its output. Raise an AssertionError with the output if it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (variables or {}),
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def docker_json(*arguments: str) -> Any:
    """Return the JSON that a docker command prints."""
    return json.loads(run(["docker", *arguments]))


class Stack:
    """One project of containers. Leaving the `with` block removes them, their network and their volumes.

    Args:
        name: of the project.
        files: the compose files.
        variables: environment variables for the compose files.
    """

    def __init__(self, name: str, *files: str, **variables: str) -> None:
        self.files = list(files)
        self.port = free_port()
        self.variables = {"KAFKA_PORT": str(self.port), **variables}
        self.address = f"localhost:{self.port}"
        self._name = name

    def compose(self, *arguments: str, text: str | None = None) -> str:
        """Run `docker compose` on this project, with this text as its standard input."""
        files = [word for file in self.files for word in ("-f", file)]
        return run(["docker", "compose", "-p", self._name, *files, *arguments], self.variables, text)

    def up(self, *arguments: str) -> None:
        """Start the containers that are missing, and wait until all are healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", f"{PATIENCE:.0f}", *arguments)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Return the output of `docker inspect` for a service's containers."""
        ids = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = docker_json("inspect", *ids) if ids else []
        return found

    def shell(self, service: str, script: str) -> str:
        """Run a script in a service's container."""
        return self.compose("exec", "-T", service, "sh", "-c", script)

    def shares(self) -> list[int]:
        """The partition count of each member of the pipelines' group, in order. Empty during a rebalance."""
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        try:
            group = admin.describe_consumer_groups([GROUP])[GROUP].result(10)
        except KafkaException:
            return []
        return sorted(len(member.assignment.topic_partitions) for member in group.members)

    def wait_for_shares(self, *wanted: int) -> None:
        """Wait until the group's members have these partition counts."""
        wait_until(lambda: self.shares() == list(wanted), f"members with {wanted} partitions", PATIENCE)

    def check_contract(self) -> int:
        """Check that each record sent so far comes out once, in order, by the contract. Return their number."""
        kafka = Kafka(self.address)
        sent = kafka.read(INPUT, 1)

        def arrived() -> list[Record] | None:
            records = kafka.read(OUTPUT, 0)
            return records if len(by_partition(records, sent)) == len(sent) else None

        found = wait_until(arrived, f"{len(sent)} records in {OUTPUT}", PATIENCE)
        assert found is not None
        assert by_partition(found, sent) == [expected(record) for record in sent]
        return len(sent)

    def __enter__(self) -> Self:
        self.close()  # what a killed run may have left
        return self

    def __exit__(self, *_: object) -> None:
        print(self.compose("logs", "--no-color", "--tail", "50"))  # noqa: T201  (shown if a test fails)
        self.close()

    def close(self) -> None:
        """Remove everything."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "10")


def by_partition(records: Sequence[Record], like: Sequence[Record]) -> list[Record]:
    """The first records of each partition, as many as `like` has, by partition."""
    counts = {partition: sum(record.partition == partition for record in like) for partition in range(4)}
    return [
        record
        for partition, count in counts.items()
        for record in [record for record in records if record.partition == partition][:count]
    ]
