"""INSTANCE_ID: a restarted worker resumes at once, and a second worker with the same id replaces the first."""

import re
import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines, group_of
from tools.waiting import wait_until

NOW = int(time.time() * 1000)


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here, for SESSION_TIMEOUT_MS."""
    return Path(__file__).parents[1] / "parity" / "run_pipeline.py"


def records(begin: int, end: int) -> list[Record]:
    """Records with distinct values."""
    return [Record(b"k", b'{"device_type": "ios", "n": %d}' % number, [], NOW) for number in range(begin, end)]


def test_name_taken(kafka: Kafka, pipelines: Pipelines) -> None:
    """A worker that is replaced by another one with its id exits with 70 and says so; each record is written once.

    If the first one starts again, the line of the second one names it.
    """
    source, target = kafka.create_topic("named-in"), kafka.create_topic("named-out")
    first = pipelines.start(source, target, INSTANCE_ID="one")
    kafka.produce(source, records(0, 100))
    kafka.read(target, 100)
    second = pipelines.start(source, target, INSTANCE_ID="one")
    assert first.wait() == 70
    assert "Traceback" not in first.log
    assert "replaced by another worker with the same INSTANCE_ID" in first.lines[-1]
    kafka.produce(source, records(100, 200))
    assert kafka.read(target, 200) == list(map(expected, records(0, 200)))
    restarted = pipelines.start(source, target, INSTANCE_ID="one")
    assert second.wait() == 70
    kafka.produce(source, records(200, 300))
    assert kafka.read(target, 300) == list(map(expected, records(0, 300)))
    assert restarted.stop() == 0
    replace = {rf"{re.escape(socket.gethostname())}-\d+": "worker-1-4711"}
    check_row("While running", "another worker has the same INSTANCE_ID", 70, second.lines[-1], replace)


def test_name_of_another_program(kafka: Kafka, pipelines: Pipelines) -> None:
    """A worker whose INSTANCE_ID another program had before, and takes again, exits with 70 and names that program."""
    source, target = kafka.create_topic("taken-in"), kafka.create_topic("taken-out")
    with closing(another_program(kafka, source)) as first:
        wait_until(lambda: first.poll(0.05) is None and first.assignment(), "the other program's partition")
    pipeline = pipelines.start(source, target, INSTANCE_ID="one", PROCESSING_GUARANTEE="at-least-once")
    kafka.produce(source, records(0, 1))
    kafka.read(target, 1)
    with closing(another_program(kafka, source)) as second:
        wait_until(lambda: not second.poll(0.05) and " ERROR " in pipeline.log, "the end of the pipeline")
    assert pipeline.wait() == 70
    check_row("While running", "another program has the same group and INSTANCE_ID", 70, pipeline.lines[-1])


def another_program(kafka: Kafka, topic: str) -> Consumer:
    """A consumer that is a member of the pipeline's group, with its INSTANCE_ID."""
    member = {"group.id": group_of(topic), "group.instance.id": "one", "client.id": "billing"}
    own = {"partition.assignment.strategy": "range", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": kafka.address, **member, **own})
    consumer.subscribe([topic])
    return consumer


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
