"""The output of a pipeline that is stopped or killed in the middle of a backlog and started again."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tests.wire import leave_group, transactional_ids
from tools.waiting import wait_until

PARTITIONS = 2
TOTAL = 10_000
BACKLOG = [
    Record(b"%d" % number, b'{"device_type": "ios", "n": %d}' % number, partition=number * PARTITIONS // TOTAL)
    for number in range(TOTAL)
]
SLOW_BY = 0.01
"""Seconds for each record until a pipeline is stopped or killed. The whole backlog would take 100 s."""

WANTED = sorted(map(expected, BACKLOG), key=lambda record: record.partition)


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here, for SLOW_WHILE."""
    return Path(__file__).parents[1] / "parity" / "run_pipeline.py"


def written(kafka: Kafka, topic: str) -> int:
    """The number of entries in the topic, including records of unfinished transactions and transaction markers."""
    return sum(kafka.end_offsets(topic).values())


def with_backlog(kafka: Kafka, name: str) -> tuple[str, str]:
    """A topic with the backlog and an empty one."""
    source, target = (kafka.create_topic(f"{name}-{end}", PARTITIONS) for end in ("in", "out"))
    kafka.produce(source, BACKLOG)
    return source, target


def records_in(pipeline: Pipeline) -> int:
    """The number of records in, from the stop line."""
    line = pipeline.wait_for("stopped: ", " in, ")
    return int(line.partition("stopped: ")[2].partition(" in, ")[0])


@pytest.mark.parametrize(("guarantee", "number"), [("exactly-once", signal.SIGTERM), ("at-least-once", signal.SIGINT)])
def test_stop(kafka: Kafka, pipelines: Pipelines, slow: Path, guarantee: str, number: signal.Signals) -> None:
    """A stop in the middle of a backlog exits with 0 and commits processed records. The next start resumes there."""
    source, target = with_backlog(kafka, f"stop-{guarantee}")
    first = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee, SLOW_WHILE=slow, SLOW_BY=SLOW_BY)
    wait_until(lambda: written(kafka, target), "the first record")
    assert first.stop(number) == 0
    done = records_in(first)
    assert 0 < done < TOTAL, "it was to be stopped in the middle"
    assert sum(kafka.committed(group_of(source), source).values()) == done
    assert len(kafka.read(target, done)) == done

    second = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
    read = kafka.read(target, TOTAL)
    assert second.stop() == 0
    assert records_in(second) == TOTAL - done
    assert read == WANTED


def test_stop_while_joining(kafka: Kafka, pipelines: Pipelines) -> None:
    """A worker that is stopped while it joins its group leaves the group, so that the others need not wait for it."""
    source, target = (kafka.create_topic(name) for name in ("joining-in", "joining-out"))
    pipeline = pipelines.start(source, target, LOG_LEVEL="DEBUG")
    pipeline.wait_for(RUNNING)
    assert pipeline.stop() == 0
    assert "Rebalancing: assigning partitions" in pipeline.log
    assert "Timed out LeaveGroupRequest" not in pipeline.log


def test_killed_exactly_once(kafka: Kafka, pipelines: Pipelines, slow: Path) -> None:
    """Each record is committed once after two SIGKILLs in the middle of a backlog."""
    source, target = with_backlog(kafka, "killed-once")
    for progress in (1, 300):
        kill_after(kafka, pipelines.start(source, target, SLOW_WHILE=slow, SLOW_BY=SLOW_BY), target, progress)
        assert sum(kafka.committed(group_of(source), source).values()) < TOTAL, "it was to be killed in the middle"
        remove_members(kafka.address, group_of(source))
    last = pipelines.start(source, target)
    read = kafka.read(target, TOTAL)
    assert last.stop() == 0
    assert read == WANTED


def test_killed_at_least_once(kafka: Kafka, pipelines: Pipelines, slow: Path) -> None:
    """A SIGKILL in the middle of a backlog loses nothing. After the restart, some of the last records come twice."""
    source, target = with_backlog(kafka, "killed-twice")
    settings = {"PROCESSING_GUARANTEE": "at-least-once"}
    kill_after(kafka, pipelines.start(source, target, **settings, SLOW_WHILE=slow, SLOW_BY=SLOW_BY), target, 300)
    before = kafka.read(target, 1)
    assert len(before) < TOTAL, "it was to be killed in the middle"
    committed = kafka.committed(group_of(source), source)
    remove_members(kafka.address, group_of(source))
    last = pipelines.start(source, target, **settings)
    read = kafka.read(target, len(before) + TOTAL - sum(committed.values()))
    assert last.stop() == 0
    for partition in range(PARTITIONS):
        wanted, first, both = (of_partition(records, partition) for records in (WANTED, before, read))
        assert both == wanted[: len(first)] + wanted[committed.get(partition, 0) :]


def of_partition(records: Sequence[Record], partition: int) -> list[Record]:
    """The records of one partition, in order."""
    return [record for record in records if record.partition == partition]


def kill_after(kafka: Kafka, pipeline: Pipeline, target: str, progress: int) -> None:
    """Kill a pipeline once it has written this many more records."""
    before = written(kafka, target)
    wait_until(lambda: written(kafka, target) >= before + progress, f"{progress} more records")
    assert pipeline.stop(signal.SIGKILL) == -signal.SIGKILL


def remove_members(address: str, group: str) -> None:
    """Remove the group's members and abort their transactions, as the broker does after its timeouts."""
    admin = AdminClient({"bootstrap.servers": address})
    for member in admin.describe_consumer_groups([group])[group].result(TIMEOUT).members:
        leave_group(address, group, member.member_id)
    for name in transactional_ids(address):
        if name.startswith(group):
            Producer({"bootstrap.servers": address, "transactional.id": name}).init_transactions(TIMEOUT)
