"""INSTANCE_ID: a restarted worker resumes at once, and a second worker with the same id replaces the first."""

import re
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from runtime.limits import REPLACED_PAUSE
from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tools.waiting import wait_until

NOW = int(time.time() * 1000)
SHORT, LONG = ({"INSTANCE_ID": "one", "LIMITS": f"REPLACED_PAUSE={seconds}"} for seconds in (3, 2 * TIMEOUT))
SUPERVISED = 30.0  # seconds, at least


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here, for LIMITS."""
    return Path(__file__).with_name("run_limits.py")


def records(begin: int, end: int) -> list[Record]:
    """Records with distinct values."""
    return [Record(b"k", b'{"device_type": "ios", "n": %d}' % number, [], NOW) for number in range(begin, end)]


def test_name_taken(kafka: Kafka, pipelines: Pipelines) -> None:
    """A worker that is replaced by another one with its id exits with 78 and names it. Each record is written once.

    A signal ends its wait.
    """
    source, target = kafka.create_topic("named-in"), kafka.create_topic("named-out")
    first = pipelines.start(source, target, **LONG)
    kafka.produce(source, records(0, 100))
    kafka.read(target, 100)
    second = pipelines.start(source, target, **LONG)
    first.wait_for("has taken this one's place")
    kafka.produce(source, records(100, 200))
    assert kafka.read(target, 200) == list(map(expected, records(0, 200)))
    wait_until(lambda: kafka.committed(group_of(source), source)[0] >= 200, "the second one's commit")
    assert first.stop() == 78
    assert "Traceback" not in first.log
    assert f"the worker with the client id {name(second)} " in first.lines[-1]
    replace = {re.escape(name(second)): "worker-1-4711"}
    check_row("While running", "another worker has the same INSTANCE_ID", 78, first.lines[-1], replace)
    assert second.stop() == 0


def name(worker: Pipeline) -> str:
    """The worker's client id."""
    return f"{socket.gethostname()}-{worker.pid}"


@pytest.mark.long
def test_name_taken_without_records(kafka: Kafka, pipelines: Pipelines) -> None:
    """If the other worker has committed nothing, a restart may help (70), and the line still gives the cause."""
    source, target = kafka.create_topic("idle-in"), kafka.create_topic("idle-out")
    first = pipelines.start(source, target, **SHORT)
    first.wait_for(RUNNING)
    second = pipelines.start(source, target, **SHORT)
    assert first.wait() == 70
    situation = "another worker has the same INSTANCE_ID, and has committed nothing yet"
    check_row("While running", situation, 70, first.lines[-1])
    assert second.stop() == 0


@pytest.mark.long
def test_two_supervisors(kafka: Kafka, pipelines: Pipelines) -> None:
    """Two workers with one id, restarted after each exit: there are few exits, and each line names the other worker."""
    source, target = kafka.create_topic("pair-in"), kafka.create_topic("pair-out")
    settings = {"INSTANCE_ID": "one", "LIMITS": f"CAUSE_TIMEOUT={TIMEOUT}"}  # the group may answer late
    sides = [[pipelines.start(source, target, **settings)] for _ in range(2)]
    ended: dict[Pipeline, set[str]] = {}
    began, sent = time.monotonic(), 0
    while (seconds := time.monotonic() - began) < SUPERVISED or any(len(side) == 1 for side in sides):
        assert seconds < 4 * TIMEOUT
        kafka.produce(source, records(sent, sent + 1))
        sent += 1
        for side, other in (sides, sides[::-1]):
            if side[-1].ended is not None:
                ended[side[-1]] = {name(worker) for worker in other}
                side.append(pipelines.start(source, target, **settings))
        time.sleep(0.2)
    assert {worker.wait() for worker in ended} == {78}
    assert len(ended) <= 2 * (seconds / REPLACED_PAUSE + 1)
    assert kafka.read(target, sent) == list(map(expected, records(0, sent)))
    for worker, others in ended.items():
        assert any(f"client id {other} " in worker.lines[-1] for other in others), worker.lines[-1]


def test_fenced_by_no_worker(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A worker that lost its transactional id, but not its place in the group, takes the id back and goes on."""
    source, target = topics("fenced-in"), topics("fenced-out")
    limits = "REPLACED_PAUSE=3 REQUEST_MAY_REPEAT_AFTER=60"  # a slow commit does not get a new producer, too
    pipeline = pipelines.start(source, target, INSTANCE_ID="one", LIMITS=limits)
    for number in range(3):
        if number:
            name = f"{group_of(source)}:one"
            Producer({"bootstrap.servers": kafka.address, "transactional.id": name}).init_transactions()
        kafka.produce(source, records(number, number + 1))
        assert kafka.read(target, number + 1) == list(map(expected, records(0, number + 1)))
    assert pipeline.stop() == 0
    assert pipeline.log.count("with a new producer") == 2


def test_name_of_another_program(kafka: Kafka, pipelines: Pipelines) -> None:
    """A worker whose INSTANCE_ID another program had before, and takes again, exits with 78 and names that program."""
    source, target = kafka.create_topic("taken-in"), kafka.create_topic("taken-out")
    with closing(another_program(kafka, source)) as first:
        wait_until(lambda: first.poll(0.05) is None and first.assignment(), "the other program's partition")
    pipeline = pipelines.start(source, target, PROCESSING_GUARANTEE="at-least-once", **SHORT)
    kafka.produce(source, records(0, 1))
    kafka.read(target, 1)
    with closing(another_program(kafka, source)) as second:
        wait_until(lambda: not second.poll(0.05) and " ERROR " in pipeline.log, "the end of the pipeline")
    assert pipeline.wait() == 78
    check_row("While running", "another program has the same group and INSTANCE_ID", 78, pipeline.lines[-1])


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
    settings = {"INSTANCE_ID": "one", "LIMITS": f"SESSION_TIMEOUT={5 * TIMEOUT} POLL_TIMEOUT={6 * TIMEOUT}"}
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
