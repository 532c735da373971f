"""A worker that the group removed, and one whose broker froze, on a broker of their own."""

import random
import signal
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipeline, Pipelines, group_of
from tools.broker.embedded import Broker
from tools.waiting import wait_until

pytestmark = pytest.mark.long

NOW = int(time.time() * 1000)
PARTITIONS = 2
TOTAL = 4_000
LOST = "removed from the consumer group"
FROZEN = 2.0  # seconds; long enough for an unbounded queue to fill
BACKLOG = 300_000
MEBIBYTE = 1 << 20


class Case(NamedTuple):
    """The state in which a worker is frozen."""

    guarantee: str
    name: str
    commit_every: int
    in_a_batch: bool


CASES = [
    Case("exactly-once", "in a batch", 10, in_a_batch=True),
    Case("at-least-once", "in a batch", 10, in_a_batch=True),
    Case("exactly-once", "with a checkpoint unfinished", 1_000_000, in_a_batch=False),
]


class Lost:
    """A worker that is frozen until another one has taken over and finished."""

    def __init__(self, kafka: Kafka, pipelines: Pipelines, case: Case, slow: Path) -> None:
        self.kafka = kafka
        self.case = case
        self._pipelines = pipelines
        name = f"{case.guarantee}-{case.name.replace(' ', '-')}"
        self.source, self.target = (kafka.create_topic(f"{name}-{end}", PARTITIONS) for end in ("in", "out"))
        self.before = TOTAL if case.in_a_batch else 100
        kafka.produce(self.source, numbered(0, self.before))
        self.first = self._start(SLOW_WHILE=slow, SLOW_BY=0.01, COMMIT_EVERY=case.commit_every, COMMIT_WHEN_IDLE=5)
        self.second: Pipeline

    def _start(self, **settings: object) -> Pipeline:
        return self._pipelines.start(
            self.source,
            self.target,
            PROCESSING_GUARANTEE=self.case.guarantee,
            COMMIT_INTERVAL=10,
            SESSION_TIMEOUT_MS=6000,
            **settings,
        )

    def written(self) -> int:
        """The number of records written, committed or not."""
        return sum(self.kafka.end_offsets(self.target).values())

    def committed(self) -> int:
        """The number of input records that are committed."""
        return sum(self.kafka.committed(group_of(self.source), self.source).values())

    def all_committed(self) -> bool:
        """Whether the whole input is committed."""
        return self.committed() == TOTAL

    def freeze(self) -> None:
        """Stop the worker in the case's state, start another one, and send it records."""
        least = 10 if self.case.in_a_batch else self.before
        wait_until(lambda: sum(self.kafka.end_offsets(self.target).values()) >= least, "it is in the middle")
        self.first.send(signal.SIGSTOP)
        assert self.committed() < self.before
        self.second = self._start()
        self.kafka.produce(self.source, numbered(self.before, TOTAL))

    def check(self) -> None:
        """Check that all records are written and committed.

        Under exactly-once, also check that each is written once and in order.
        """
        read = self.kafka.read(self.target, TOTAL)
        wanted = sorted(map(expected, numbered(0, TOTAL)), key=lambda record: record.partition)
        if self.case.guarantee == "exactly-once":
            assert read == wanted
        else:
            assert {record.value for record in read} == {record.value for record in wanted}
        assert self.all_committed()


def numbered(begin: int, end: int) -> list[Record]:
    """Records with distinct values."""
    value = b'{"device_type": "ios", "n": %d}'
    return [Record(b"k", value % number, [], NOW, number % PARTITIONS) for number in range(begin, end)]


def test_lost(own_broker: Broker, own_pipelines: Pipelines, slow: Path) -> None:
    """A worker that the group removed exits with 70, says so and commits nothing. Each record is written once.

    Under at-least-once, the records that it had written without committing them come twice.
    """
    cases: list[Lost] = []
    for each in CASES:
        cases.append(Lost(Kafka(own_broker.address), own_pipelines, each, slow))
        cases[-1].freeze()
    for case in cases:
        wait_until(case.all_committed, "the second has done it all")
    slow.unlink()
    for case in cases:
        case.first.send(signal.SIGCONT)
    for case in cases:
        assert case.first.wait() == 70
        assert [LOST in line for line in case.first.lines].count(True) == 1
        assert LOST in case.first.lines[-1]
        assert case.second.stop() == 0
        case.check()


def test_frozen_broker(own_broker: Broker, own_pipelines: Pipelines, slow: Path, tmp_path: Path) -> None:
    """A worker stays below 256 MiB while the broker is frozen in the middle of a backlog, and then resumes."""
    kafka = Kafka(own_broker.address)
    source, target = (kafka.create_topic(f"frozen-{end}", PARTITIONS) for end in ("in", "out"))
    produce_large(own_broker.address, source)
    peak = tmp_path / "peak"
    worker = own_pipelines.start(source, target, PEAK_MEMORY=peak, SLOW_WHILE=slow, SLOW_BY=0.0001)
    begun = wait_until(lambda: sum(kafka.end_offsets(target).values()), "the first record")
    assert begun < BACKLOG / 2, "it was to be frozen in the middle"
    own_broker.pause()
    time.sleep(FROZEN)
    own_broker.resume()
    slow.unlink()
    wait_until(lambda: sum(kafka.committed(group_of(source), source).values()) == BACKLOG, "the end of the backlog")
    assert worker.stop() == 0
    assert f"stopped: {BACKLOG} in, {BACKLOG} out" in worker.lines[-1]
    assert int(peak.read_text()) < 256 * MEBIBYTE


def produce_large(address: str, topic: str) -> None:
    """Write BACKLOG records of a kilobyte, which compress as well as logins do."""
    producer = Producer({"bootstrap.servers": address, "compression.type": "lz4", "linger.ms": 50})
    values = [b'{"device_type": "ios", "x": "%b"}' % random.Random(n).randbytes(500).hex().encode() for n in range(500)]
    for number in range(BACKLOG):
        while True:
            try:
                producer.produce(topic, values[number % 500], partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(TIMEOUT) == 0
