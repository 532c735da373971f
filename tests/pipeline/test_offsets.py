"""Offsets that are missing, expired or past the end of their partition."""

import re
import signal

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines, group_of
from tools.waiting import wait_until

EXPIRED = re.compile(r"WARNING .* (\d+) records of (\S+) expired unread, from offset (\d+) to (\d+): .* (\d+)$")


def numbered(begin: int, end: int, partition: int = 0) -> list[Record]:
    """Records with distinct values. Record n is at offset n."""
    value = b'{"device_type": "ios", "n": %d}'
    return [Record(b"k", value % number, partition=partition) for number in range(begin, end)]


def topics(kafka: Kafka, name: str, count: int, partitions: int = 1) -> tuple[str, str]:
    """An input with `count` records in partition 0, and an empty output."""
    source, target = (kafka.create_topic(f"{name}-{end}", partitions) for end in ("in", "out"))
    kafka.produce(source, numbered(0, count))
    return source, target


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_expired_before_start(kafka: Kafka, pipelines: Pipelines, reset: str) -> None:
    """A pipeline with an expired offset resumes at the earliest record, and warns which records were not read."""
    source, target = topics(kafka, f"expired-{reset}", 100, 2)
    kafka.produce(source, numbered(0, 30, partition=1))
    kafka.commit(group_of(source), source, 10)
    kafka.commit(group_of(source), source, 20, partition=1)
    kafka.delete_records(source, 40)
    pipeline = pipelines.start(source, target, AUTO_OFFSET_RESET=reset)
    pipeline.wait_for(RUNNING)
    left = [*numbered(40, 100), *numbered(20, 30, partition=1)]
    assert kafka.read(target, len(left)) == [expected(record) for record in left]
    assert pipeline.stop() == 0
    assert warnings(pipeline.lines) == [("30", f"{source}[0]", "10", "39", "40")]
    assert kafka.committed(group_of(source), source) == {0: 100, 1: 30}


def warnings(lines: list[str]) -> list[tuple[str, ...]]:
    """Of each warning of expired records: count, partition, first and last offset, and the next offset read."""
    return [found.groups() for line in lines if (found := EXPIRED.search(line))]


@pytest.mark.parametrize(("reset", "guarantee"), [("earliest", "exactly-once"), ("latest", "at-least-once")])
def test_expired_while_running(kafka: Kafka, pipelines: Pipelines, reset: str, guarantee: str) -> None:
    """Records that expire before a running worker reads them cause a warning. All others are written once."""
    source, target = topics(kafka, f"expiring-{reset}", 50)
    kafka.commit(group_of(source), source, 0)
    pipeline = pipelines.start(source, target, AUTO_OFFSET_RESET=reset, PROCESSING_GUARANTEE=guarantee)
    pipeline.wait_for(RUNNING)
    kafka.read(target, 50)
    pipeline.send(signal.SIGSTOP)
    for begin in range(50, 10_050, 1000):  # the first of them may be fetched already
        kafka.produce(source, numbered(begin, begin + 1000))
    kafka.delete_records(source, 9_000)
    pipeline.send(signal.SIGCONT)
    line = pipeline.wait_for("expired unread")
    ((count, place, first, last, next_offset),) = warnings([line])
    assert (place, last, next_offset) == (f"{source}[0]", "8999", "9000")
    assert int(count) == 9_000 - int(first)
    wanted = [*numbered(0, int(first)), *numbered(9_000, 10_050)]
    assert kafka.read(target, len(wanted)) == [expected(record) for record in wanted]
    assert pipeline.stop() == 0
    assert len(warnings(pipeline.lines)) == 1


@pytest.mark.parametrize(
    ("case", "reset", "error_text"),
    [
        (
            "expired",
            "error",
            "30 records of {}[0] expired unread, from offset 10 to 39, and AUTO_OFFSET_RESET",
        ),
        ("past the end", "earliest", "offset 1000 of {}[0] is past the end of the topic, 100"),
        ("past the end", "latest", "offset 1000 of {}[0] is past the end of the topic, 100"),
        ("none", "error", "no offset for {}[0], and AUTO_OFFSET_RESET is error"),
    ],
)
def test_refused(kafka: Kafka, pipelines: Pipelines, case: str, reset: str, error_text: str) -> None:
    """The pipeline exits with 78 and writes nothing if continuing would skip or duplicate records."""
    source, target = topics(kafka, f"refused-{case.replace(' ', '-')}-{reset}", 100)
    if case != "none":
        kafka.commit(group_of(source), source, 10 if case == "expired" else 1000)
    if case == "expired":
        kafka.delete_records(source, 40)
    pipeline = pipelines.start(source, target, AUTO_OFFSET_RESET=reset)
    assert pipeline.wait() == 78
    (line,) = (line for line in pipeline.lines if "ERROR" in line)
    assert error_text.format(source) in line
    assert "Traceback" not in pipeline.log
    assert kafka.read(target, 0) == []


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_none(kafka: Kafka, pipelines: Pipelines, reset: str) -> None:
    """Without a committed offset, `earliest` reads all records, and `latest` only later ones."""
    source, target = topics(kafka, f"none-{reset}", 100)
    pipeline = pipelines.start(source, target, AUTO_OFFSET_RESET=reset, LOG_LEVEL="DEBUG")
    pipeline.wait_for("Rebalancing: assigning")
    if reset == "latest":
        pipeline.wait_for("Assigning topic partition")
    kafka.produce(source, numbered(100, 150))
    wanted = numbered(0 if reset == "earliest" else 100, 150)
    wait_until(lambda: kafka.read(target, 1)[-1] == expected(wanted[-1]), "the last one")
    found = kafka.read(target, 1)
    if reset == "earliest":
        assert found == [expected(record) for record in wanted]
    else:  # it may have begun a little after the first of them
        assert found == [expected(record) for record in wanted[-len(found) :]]
        assert len(found) <= len(wanted)
    assert pipeline.stop() == 0
    assert "expired" not in pipeline.log
