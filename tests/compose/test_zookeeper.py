"""The original's architecture: Kafka in ZooKeeper mode, with our generator and then with another image."""

import re
from collections.abc import Iterator

import pytest

from tests.compose.stack import Stack, run
from tests.kafka import Kafka
from tools.waiting import wait_until

FILES = ("docker-compose.yml", "deploy/compose/zookeeper.yml")
STAND_IN = """
FROM python:3.13-slim
COPY --from={image} /opt/packages /opt/packages
COPY --from={image} /app /app
WORKDIR /app
CMD ["/opt/packages/bin/python", "-m", "tools.generator"]
"""
"""Like the original's image it has no health check and runs as root."""


@pytest.fixture(scope="module")
def stack(image: str) -> Iterator[Stack]:
    """The running demo with ZooKeeper."""
    stand_in = f"{image}-stand-in"
    run(["docker", "build", "--quiet", "--tag", stand_in, "-"], text=STAND_IN.format(image=image))
    name = f"{image.partition(':')[0]}-zookeeper-test"
    try:
        with Stack(name, *FILES, RATE="50", MALFORMED="0.2", GENERATOR_IMAGE=stand_in) as stack:
            stack.up()
            yield stack
    finally:
        run(["docker", "image", "rm", stand_in])


def test_zookeeper(stack: Stack) -> None:
    """Kafka keeps its metadata in ZooKeeper, whose data are in named volumes."""
    answer = stack.compose(
        "exec", "-T", "zookeeper", "bash", "-c", "exec 3<>/dev/tcp/localhost/2181; echo srvr >&3; cat <&3"
    )
    nodes = re.search(r"Node count: (\d+)", answer)
    assert nodes is not None, answer
    assert int(nodes[1]) > 20, "an empty ZooKeeper has five"
    (zookeeper,) = stack.containers("zookeeper")
    places = {mount["Destination"]: mount["Name"] for mount in zookeeper["Mounts"]}
    assert places["/var/lib/zookeeper/data"].endswith("_zookeeper-data")


def test_contract(stack: Stack) -> None:
    """Each login comes out as the contract requires, on topics with four partitions."""
    assert Kafka(stack.address).partitions("processed-user-login") == [0, 1, 2, 3]
    assert stack.check_contract() > 0


def test_check(stack: Stack) -> None:
    """`check` says that this Kafka is older than 4.0. Nothing else is wrong with it."""
    lines = stack.compose("exec", "-T", "pipeline", "python", "pipeline.py", "check").splitlines()
    assert any(line.startswith("warning") and "older than Kafka 4.0" in line for line in lines), lines
    assert not [line for line in lines if line.startswith("wrong")]


def test_another_generator(stack: Stack) -> None:
    """An image that reads BOOTSTRAP_SERVERS and KAFKA_TOPIC can replace the generator by an override."""
    stack.files.append("deploy/compose/original.yml")
    stack.up()
    (generator,) = stack.containers("generator")
    variables = dict(text.split("=", 1) for text in generator["Config"]["Env"])
    assert generator["Config"]["Image"] == stack.variables["GENERATOR_IMAGE"]
    assert variables["BOOTSTRAP_SERVERS"] == "kafka:9092"
    assert variables["KAFKA_TOPIC"] == "user-login"
    kafka = Kafka(stack.address)
    before = sum(kafka.end_offsets("user-login").values())
    wait_until(lambda: sum(kafka.end_offsets("user-login").values()) > before, "records of the other generator")
    assert stack.check_contract() > before
