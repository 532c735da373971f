"""INSTANCE_ID: a restarted worker resumes at once, and a second worker with the same id replaces the first."""

import signal
import time
from pathlib import Path

import pytest

from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines

NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here, for SESSION_TIMEOUT_MS."""
    return Path(__file__).parents[1] / "parity" / "run_pipeline.py"


def records(begin: int, end: int) -> list[Record]:
    """Records with distinct values."""
    return [Record(b"k", b'{"device_type": "ios", "n": %d}' % number, [], NOW) for number in range(begin, end)]


def test_name_taken(kafka: Kafka, pipelines: Pipelines) -> None:
    """A worker that is replaced by another one with its id exits with 70 and says so; each record is written once."""
    source, target = kafka.create_topic("named-in"), kafka.create_topic("named-out")
    first = pipelines.start(source, target, INSTANCE_ID="one")
    kafka.produce(source, records(0, 100))
    kafka.read(target, 100)
    second = pipelines.start(source, target, INSTANCE_ID="one")
    assert first.wait() == 70
    assert "Traceback" not in first.log
    assert "replaced by another worker with the same INSTANCE_ID" in first.lines[-1]
    assert "INSTANCE_ID" in first.lines[-1]
    kafka.produce(source, records(100, 200))
    assert kafka.read(target, 200) == list(map(expected, records(0, 200)))
    assert second.stop() == 0


def test_killed_and_started_again(kafka: Kafka, pipelines: Pipelines) -> None:
    """A killed worker that restarts with its id resumes without waiting for the old session to end."""
    source, target = kafka.create_topic("again-in"), kafka.create_topic("again-out")
    settings = {"INSTANCE_ID": "one", "SESSION_TIMEOUT_MS": round(5_000 * TIMEOUT)}
    first = pipelines.start(source, target, **settings)
    kafka.produce(source, records(0, 100))
    kafka.read(target, 100)
    first.send(signal.SIGKILL)
    first.wait()
    kafka.produce(source, records(100, 200))
    second = pipelines.start(source, target, **settings)
    second.wait_for(RUNNING)
    assert kafka.read(target, 200) == list(map(expected, records(0, 200)))
    assert second.stop() == 0
