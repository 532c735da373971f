"""Pipeline and generator as deployments of Quix Cloud: broker, credentials and topics come from the platform's API."""

import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.cloud.platform import GROUP, MINUTE, NARROW, PASSWORD, TOKEN, WORKSPACE, Place, Platform
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import SCRIPT, Pipeline

pytestmark = pytest.mark.long

DAYS = 2 * 1440
"""The input's retention time in minutes. It differs from the platform's default."""


def generate(platform: Platform, folder: Path, **settings: str) -> str:
    """Run the generator as a deployment until it exits, and return its output."""
    run = subprocess.run(
        [sys.executable, "-m", "tools.generator"],
        env=platform.environment(RATE="0", PYTHONPATH=str(SCRIPT.parent), **settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def setting(admin: AdminClient, topic: str, name: str) -> str:
    """One setting of a topic, as the broker has it."""
    (answer,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return str(answer.result(TIMEOUT)[name].value)


@pytest.fixture
def sent(platform: Platform, kafka: Kafka, folder: Path) -> list[Record]:
    """The records that the generator has sent to `logins`, a topic from a sync of quix.yaml."""
    source = platform.create_topic("logins", partitions=4, retention=DAYS)
    assert "60 sent to logins" in generate(platform, folder, COUNT="60", MALFORMED="0.2", output="logins")
    return kafka.read(source, 60)


def test_end_to_end(platform: Platform, kafka: Kafka, admin: AdminClient, sent: list[Record], folder: Path) -> None:
    """Every record arrives as the contract requires, in a topic created like the input. No secret is logged.

    Group and transactional id begin with the workspace's id; the broker refuses others. No state folder is created.
    Afterwards, the other commands find the topics in the same way.
    """
    source, target, dead = (f"{WORKSPACE}-{name}" for name in ("logins", "processed", "dead"))
    names = {"input": "logins", "output": "processed", "dead_letter": "dead"}
    settings = platform.environment(**names, AUTO_CREATE_TOPICS="true", LOG_LEVEL="DEBUG")
    with Pipeline(settings, folder) as pipeline:
        pipeline.wait_for("Committed a checkpoint")
        found = kafka.read(target, 60)
        assert pipeline.stop() == 0

    assert found == [expected(record) for record in sent]
    malformed = [one for one, record in zip(sent, found, strict=True) if dict(record.headers).get("malformed")]
    letters = kafka.read(dead, len(malformed))
    assert [(one.key, one.value, one.timestamp) for one in letters] == [
        (one.key, one.value, one.timestamp) for one in malformed
    ]
    assert {dict(one.headers)["__streams.errors.topic"] for one in letters} == {source.encode()}
    assert "stopped: 60 in, 60 out" in pipeline.lines[-1]
    ends = {number: end for number, end in kafka.end_offsets(source).items() if end}
    assert kafka.committed(f"{WORKSPACE}-{GROUP}", source) == ends
    assert (len(kafka.partitions(target)), setting(admin, target, "retention.ms")) == (4, f"{DAYS * MINUTE}")
    assert TOKEN not in pipeline.log
    assert PASSWORD not in pipeline.log
    warnings = [line for line in pipeline.lines if "WARNING" in line]
    assert all(" malformed record" in line for line in warnings), warnings
    assert list(folder.iterdir()) == []
    shown_by = {
        "check": "ok      group ",
        "verify": "OK: 60 records match",
        "tail": f"{target}[",
        "tail dead_letter": f"{dead}[",
        "replay --dry-run": f"would send {len(letters)} records back to {source}",
    }
    for command, shown in shown_by.items():
        with Pipeline({**settings, "LOG_LEVEL": "INFO"}, folder, *command.split()) as tool:
            assert tool.wait() == 0, tool.log
            assert shown in tool.log


def test_settings_not_readable(broker: Place, admin: AdminClient, kafka: Kafka, folder: Path) -> None:
    """The pipeline warns and runs if the workspace's user may not read the topics' settings."""
    with Platform(broker, NARROW, PASSWORD, admin) as platform:
        source, target = (platform.create_topic(f"narrow-{side}", partitions=2) for side in ("in", "out"))
        record = Record(key=b"k", value=b'{"device_type": "ios"}', partition=1)
        kafka.produce(source, [record])
        with Pipeline(platform.environment(input="narrow-in", output="narrow-out"), folder) as pipeline:
            pipeline.wait_for("WARNING", source, "max.message.bytes=1048588")
            pipeline.wait_for("WARNING", target, "max.message.bytes=1048588")
            assert kafka.read(target, 1) == [expected(record)]
            assert pipeline.stop() == 0


def test_generator_creates_its_topic(platform: Platform, kafka: Kafka, folder: Path) -> None:
    """The platform creates the generator's topic if it is missing, with the workspace's id as prefix."""
    generate(platform, folder, COUNT="5", output="fresh", TOPIC_PARTITIONS="3")

    assert kafka.partitions(f"{WORKSPACE}-fresh") == [0, 1, 2]
    assert len(kafka.read(f"{WORKSPACE}-fresh", 5)) == 5


def test_workspace_found_by_token(platform: Platform, kafka: Kafka, folder: Path) -> None:
    """The token's only workspace is used without a workspace id. A group that has the prefix gets no second one."""
    source, target = (platform.create_topic(f"found-{side}") for side in ("in", "out"))
    kafka.produce(source, [Record(value=b"{}")])
    settings = platform.environment(input="found-in", output="found-out", Quix__Consumer_Group=f"{WORKSPACE}-{GROUP}")
    with Pipeline({**settings, "Quix__Workspace__Id": "", "PROCESSING_GUARANTEE": "at-least-once"}, folder) as pipeline:
        assert len(kafka.read(target, 1)) == 1
        assert pipeline.stop() == 0

    assert kafka.committed(f"{WORKSPACE}-{GROUP}", source) == {0: 1}


@pytest.mark.parametrize("short_name", ["input", "output"])
def test_same_topic(platform: Platform, kafka: Kafka, folder: Path, short_name: str) -> None:
    """Input and output that are one topic by two names cause exit code 78, and nothing is written."""
    topic = platform.create_topic(f"one-{short_name}")
    kafka.produce(topic, [Record(b"k", b'{"device_type": "ios"}')] * 2)
    names = {"input": topic, "output": topic, short_name: f"one-{short_name}"}
    with Pipeline(platform.environment(**names), folder) as pipeline:
        assert pipeline.wait() == 78
    (line,) = (line for line in pipeline.lines if "ERROR" in line)
    assert f"output must differ from input (both are '{topic}')" in line
    assert len(kafka.read(topic, 2)) == 2
