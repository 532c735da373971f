"""Quix's own loop and the batch driver have the same output for the same input, byte for byte."""

import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.cases import CASES, NOW
from tests.pipeline.expected import expected
from tests.process import Pipeline, Pipelines

pytestmark = pytest.mark.long

KEPT = {"retention.ms": "-1"}  # the broker would delete records with old timestamps
PARTITIONS = 4
BATCH = 500
COMMIT_EVERY = 500  # 10, the default, takes stock Quix half a minute
LONG = [b'{"device_type": "ios", "x": "%b"}' % (b"x" * 9000), b'{"x": "%b"}' % (b"x" * 9000), b"[" * 9000]


class Variant(NamedTuple):
    """One way to run the pipeline."""

    loop: str
    guarantee: str


VARIANTS = [Variant(loop, to) for loop in ("stock", "batches") for to in ("exactly-once", "at-least-once")]


class Side:
    """All variants between one input topic and an output topic for each."""

    def __init__(
        self, kafka: Kafka, pipelines: Pipelines, name: str, records: Sequence[Record], partitions: int, **config: str
    ) -> None:
        self._kafka = kafka
        self._pipelines = pipelines
        self.source = kafka.create_topic(f"parity-{name}", partitions, KEPT)
        self.targets = {
            variant: kafka.create_topic(f"{self.source}-{'-'.join(variant)}", partitions, KEPT | config)
            for variant in VARIANTS
        }
        kafka.produce(self.source, records)

    def start(self, **settings: object) -> dict[Variant, Pipeline]:
        """Start one worker of each variant. The workers of a variant are a group."""
        return {
            variant: self._pipelines.start(
                self.source,
                target,
                Quix__Consumer_Group=target,
                LOOP=variant.loop,
                PROCESSING_GUARANTEE=variant.guarantee,
                COMMIT_EVERY=COMMIT_EVERY,
                SESSION_TIMEOUT_MS=6_000,  # a worker learns of a rebalance by a heartbeat
                **settings,
            )
            for variant, target in self.targets.items()
        }

    def read(self, count: int) -> dict[Variant, list[Record]]:
        """The output of each variant."""
        return {variant: self._kafka.read(target, count) for variant, target in self.targets.items()}


def assert_same(outputs: dict[Variant, list[Record]], wanted: Sequence[Record]) -> None:
    """Compare record by record, so that a failure shows the first that differs."""
    for variant, output in outputs.items():
        for number, (found, right) in enumerate(zip(output, wanted, strict=False)):
            assert found == right, f"record {number} of {variant}"
        assert len(output) == len(wanted), variant


def stop_all(workers: dict[Variant, Pipeline]) -> None:
    """Stop them all at once, and check that each ends with 0."""
    for worker in workers.values():
        worker.send(signal.SIGTERM)
    assert {variant: worker.wait() for variant, worker in workers.items()} == dict.fromkeys(workers, 0)


def records_in(worker: Pipeline) -> int:
    """The number of records in, from the stop line."""
    line = worker.wait_for("stopped: ", " in, ")
    return int(line.partition("stopped: ")[2].partition(" in, ")[0])


def by_partition(records: Sequence[Record]) -> list[Record]:
    """The records in the order of `Kafka.read`."""
    return sorted(records, key=lambda record: record.partition)


def numbered(count: int) -> list[Record]:
    """Records with distinct values, some of them malformed."""
    chance = random.Random(count)
    return [
        Record(
            chance.choice([None, b"", b"key"]),
            chance.choice([b'{"device_type": "ios", "n": %d}', b'{"n": %d}']) % number,
            chance.choice([[], [("n", b"%d" % number)]]),
            NOW + number,
            chance.randrange(PARTITIONS),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(("partitions", "limit"), [(1, 1_048_588), (4, 6_000)])
def test_contract(kafka: Kafka, pipelines: Pipelines, partitions: int, limit: int) -> None:
    """All variants have the same output for a few thousand records of all rows of the contract, too_large included."""
    chance = random.Random(partitions)
    rows = [case.record for case in CASES] + [Record(b"k", value) for value in LONG]
    records = [
        replace(record, partition=number % partitions)
        for number, record in enumerate(rows + chance.choices(rows, k=2_000))
    ]
    side = Side(kafka, pipelines, f"contract-{partitions}", records, partitions, **{"max.message.bytes": str(limit)})
    started = side.start()
    outputs = side.read(len(records))
    stop_all(started)

    assert_same(outputs, outputs[VARIANTS[0]])
    reasons = {dict(record.headers).get("malformed") for record in outputs[VARIANTS[0]]}
    wanted = {case.reason and case.reason.encode() for case in CASES}
    assert reasons == (wanted | {b"too_large"} if partitions == 4 else wanted)
    if partitions == 1:
        assert_same(outputs, by_partition(list(map(expected, records))))


def test_message_context(kafka: Kafka, pipelines: Pipelines) -> None:
    """All variants have the same `message_context()`: topic, partition, offset, size and leader epoch."""
    records = [replace(case.record, partition=number % PARTITIONS) for number, case in enumerate(CASES)]
    side = Side(kafka, pipelines, "context", records, PARTITIONS)
    started = side.start(MAP="context")
    outputs = side.read(len(records))
    stop_all(started)

    assert_same(outputs, outputs[VARIANTS[0]])
    offsets: Counter[int] = Counter()
    for record, sent in zip(outputs[VARIANTS[0]], by_partition(records), strict=True):
        place = f"{side.source} {record.partition} {offsets[record.partition]} {len(sent.value or b'')} ".encode()
        assert record.value is not None
        assert record.value.startswith(place)
        offsets[record.partition] += 1


def test_stop_in_the_middle(kafka: Kafka, pipelines: Pipelines) -> None:
    """A SIGTERM in a backlog and a second start lose, duplicate and reorder nothing."""
    records = numbered(6_000)
    side = Side(kafka, pipelines, "stop", records, PARTITIONS)
    first = side.start(BATCH=BATCH, STOP_AT=random.Random("stop").randrange(1, 5_000))
    assert {worker.wait() for worker in first.values()} == {0}
    second = side.start(BATCH=BATCH)
    outputs = side.read(len(records))
    stop_all(second)

    assert_same(outputs, by_partition(list(map(expected, records))))
    for variant in VARIANTS:
        assert 0 < records_in(first[variant]) < len(records), "it was to be stopped in the middle"
        assert records_in(first[variant]) + records_in(second[variant]) == len(records)


def test_rebalance_in_the_middle(kafka: Kafka, pipelines: Pipelines, slow: Path) -> None:
    """A second worker that joins in a backlog and leaves on SIGTERM loses, duplicates and reorders nothing."""
    records = numbered(20_000)
    side = Side(kafka, pipelines, "rebalance", records[:10_000], PARTITIONS)
    first = side.start(BATCH=BATCH, SLOW_WHILE=slow, LOG_LEVEL="DEBUG")
    for worker in first.values():
        worker.wait_for("Rebalancing: assigning")
    stop_at = random.Random("rebalance").randrange(1, 1_000)
    second = side.start(BATCH=BATCH, SLOW_WHILE=slow, STOP_AT=stop_at, LOG_LEVEL="DEBUG")
    for worker in second.values():
        worker.wait_for("Assigning topic partition")
    kafka.produce(side.source, records[10_000:])  # its share, however long it took to join
    assert {worker.wait() for worker in second.values()} == {0}
    slow.unlink()
    outputs = side.read(len(records))
    stop_all(first)

    assert_same(outputs, by_partition(list(map(expected, records))))
    for variant in VARIANTS:
        assert records_in(second[variant]) > 0, "the second was to have a share"
        assert records_in(first[variant]) + records_in(second[variant]) == len(records)
        assert sum("Rebalancing: revoking" in line for line in first[variant].lines) >= 3  # a join, a leave, the end
