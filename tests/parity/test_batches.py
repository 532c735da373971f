"""The batch driver's promises beyond stock Quix's loop: whole batches, and commits in groups."""

import math
import time
from functools import partial
from pathlib import Path

import pytest

from runtime.loop.transaction_size import FIRST, STEP
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines, group_of
from tools.waiting import wait_until

VALUE = b'{"device_type": "ios"}'
NOW = int(time.time() * 1000)


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_failure_in_a_batch(kafka: Kafka, pipelines: Pipelines, tmp_path: Path, guarantee: str) -> None:
    """A batch in which the map fails is not committed. Under exactly-once, none of it is visible."""
    source, target = (kafka.create_topic(f"failing-{guarantee}-{end}") for end in ("in", "out"))
    kafka.produce(source, [Record(b"k", b"fail" if number == 4_321 else VALUE, [], NOW) for number in range(6_000)])
    trace = tmp_path / "trace"
    worker = pipelines.start(
        source, target, PROCESSING_GUARANTEE=guarantee, MAP="failing", BATCH=1_000, COMMIT_EVERY=1, TRACE_BATCHES=trace
    )
    assert worker.wait() == 70
    assert f"MemoryError at {source}[0]@4321: meant to fail" in worker.log

    *whole, last = map(int, trace.read_text().split())
    begin = sum(whole)
    assert begin <= 4_321 < begin + last
    committed = kafka.committed(group_of(source), source).get(0, 0)
    assert committed <= begin
    read = kafka.read(target, committed)
    if guarantee == "exactly-once":
        assert len(read) == committed
    else:
        assert committed <= len(read) <= 4_321


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_trickle(kafka: Kafka, pipelines: Pipelines, guarantee: str) -> None:
    """Records that come one by one are committed one by one, however large COMMIT_EVERY and COMMIT_INTERVAL are."""
    source, target = (kafka.create_topic(f"trickle-{guarantee}-{end}") for end in ("in", "out"))
    worker = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee, COMMIT_EVERY=1_000_000, COMMIT_INTERVAL=10)
    worker.wait_for(RUNNING)
    took = []
    for number in range(1, 6):
        begin = time.monotonic()
        kafka.produce(source, [Record(b"k", VALUE, [], NOW)])
        wait_until(partial(has_committed, kafka, source, number), "it is committed")
        took.append(time.monotonic() - begin)
    assert min(took) < 5, "the interval would let each record wait for 10 s"
    assert worker.stop() == 0


def has_committed(kafka: Kafka, source: str, offset: int) -> bool:
    """Whether the group has committed this offset of the only partition."""
    return kafka.committed(group_of(source), source).get(0) == offset


def test_interval(kafka: Kafka, pipelines: Pipelines, slow: Path) -> None:
    """While records keep coming, those that are too few for COMMIT_EVERY are committed after COMMIT_INTERVAL."""
    source, target = (kafka.create_topic(f"interval-{end}") for end in ("in", "out"))
    kafka.produce(source, [Record(b"k", VALUE, [], NOW)] * 10_000)
    worker = pipelines.start(
        source, target, COMMIT_EVERY=1_000_000, COMMIT_INTERVAL=0.5, BATCH=100, SLOW_WHILE=slow, SLOW_BY=0.01
    )
    wait_until(lambda: kafka.committed(group_of(source), source), "some are committed")
    assert kafka.committed(group_of(source), source)[0] < 10_000, "more were to come"
    slow.unlink()
    assert worker.stop() == 0


def test_behind(kafka: Kafka, pipelines: Pipelines, tmp_path: Path) -> None:
    """Full batches are committed only by the interval and by large enough transactions, not by COMMIT_EVERY.

    The first of these transactions has FIRST records, each next one up to STEP times as many.
    """
    source, target = (kafka.create_topic(f"behind-{end}") for end in ("in", "out"))
    total, batch, interval = 100_000, 500, 10
    kafka.produce(source, [Record(b"k", VALUE, [], NOW)] * total)
    trace = tmp_path / "trace"
    worker = pipelines.start(source, target, COMMIT_EVERY=1, COMMIT_INTERVAL=interval, BATCH=batch, TRACE_BATCHES=trace)
    begin = time.monotonic()
    kafka.read(target, total)
    of_interval = 1 + (time.monotonic() - begin) // interval
    assert worker.stop() == 0

    sizes = list(map(int, trace.read_text().split()))
    assert sum(sizes) == total
    not_full = sum(size < batch for size in sizes)
    transactions = kafka.end_offsets(target)[0] - total
    growing = math.ceil(math.log(total / FIRST + 1, STEP))
    assert transactions <= not_full + growing + of_interval < len(sizes), "most batches were to be full"


@pytest.mark.long
@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_slow_map(kafka: Kafka, pipelines: Pipelines, slow: Path, guarantee: str) -> None:
    """A slow map commits about every COMMIT_INTERVAL in a backlog, and each record is written once.

    Otherwise, the backlog would be one transaction that exceeds the broker's time limit.
    """
    source, target = (kafka.create_topic(f"slow-{guarantee}-{end}") for end in ("in", "out"))
    total, seconds = 1_500, 15  # and COMMIT_INTERVAL is 1
    sent = [Record(b"k", b'{"device_type": "ios", "n": %d}' % number, [], NOW) for number in range(total)]
    kafka.produce(source, sent)
    worker = pipelines.start(
        source, target, PROCESSING_GUARANTEE=guarantee, SLOW_WHILE=slow, SLOW_BY=seconds / total, LOG_LEVEL="DEBUG"
    )
    assert kafka.read(target, total) == [expected(record) for record in sent]
    wait_until(partial(has_committed, kafka, source, total), "it is committed")
    elapsed = time.monotonic() - worker.started
    assert worker.stop() == 0
    commits = sum("Committed a checkpoint" in line for line in worker.lines)
    assert seconds / 3 <= commits <= elapsed + 1
