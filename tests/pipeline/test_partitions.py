"""A record keeps its partition, and the output has at least as many partitions as the input."""

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines

SENT = [
    Record(key, b'{"n": %d, "device_type": "ios"}' % number, partition=number % 3)
    for number, key in enumerate([b"", b"0", b"12345678", b"\xff\x00\x80", None, None] * 20)
]
"""Few keys, each on several partitions, so that a key's hash does not determine the partition."""


def ordered(records: list[Record]) -> list[Record]:
    """The records by partition, otherwise in their order."""
    return sorted(records, key=lambda record: record.partition)


@pytest.mark.parametrize("partitions", [3, 5])
def test_enough_partitions(kafka: Kafka, pipelines: Pipelines, partitions: int) -> None:
    """Records keep partition and order, without a warning, if the output has as many partitions or more."""
    source = kafka.create_topic(f"three-to-{partitions}", 3)
    target = kafka.create_topic(f"{partitions}-of-three", partitions)
    kafka.produce(source, SENT)
    pipeline = pipelines.start(source, target)

    assert kafka.read(target, len(SENT)) == ordered(list(map(expected, SENT)))
    assert pipeline.stop() == 0
    assert "WARNING" not in pipeline.log


def test_output_gains_partitions(kafka: Kafka, pipelines: Pipelines) -> None:
    """An output that gains partitions while the pipeline runs changes nothing, even after a restart."""
    source, target = kafka.create_topic("grown-in", 3), kafka.create_topic("grown-out", 3)
    for turn, partitions in enumerate((5, 7), 1):
        pipeline = pipelines.start(source, target)
        pipeline.wait_for(RUNNING)
        kafka.produce(source, SENT)
        kafka.read(target, (2 * turn - 1) * len(SENT))
        kafka.add_partitions(target, partitions)
        kafka.produce(source, SENT)
        kafka.read(target, 2 * turn * len(SENT))
        assert pipeline.stop() == 0

    assert kafka.read(target, 4 * len(SENT)) == ordered(list(map(expected, 4 * SENT)))


def test_too_few_partitions(kafka: Kafka, pipelines: Pipelines) -> None:
    """An output with too few partitions causes exit code 78 and gets nothing. With enough, the pipeline runs."""
    source, target = kafka.create_topic("four", 4), kafka.create_topic("two", 2)
    kafka.produce(source, SENT)
    pipeline = pipelines.start(source, target)
    assert pipeline.wait() == 78
    (line,) = (line for line in pipeline.lines if "ERROR" in line)
    for text in ("'two'", "too few partitions (2)", "'four' has 4", "add partitions"):
        assert text in line
    assert kafka.read(target, 0) == []

    kafka.add_partitions(target, 4)
    pipeline = pipelines.start(source, target)
    assert kafka.read(target, len(SENT)) == ordered(list(map(expected, SENT)))
    assert pipeline.stop() == 0


@pytest.mark.long
def test_input_gains_partition(kafka: Kafka, pipelines: Pipelines) -> None:
    """A new input partition that the output lacks causes exit code 78 and is named. No record is lost."""
    source, target = kafka.create_topic("gains", 3), kafka.create_topic("lacks", 3)
    kafka.produce(source, SENT)
    pipeline = pipelines.start(source, target)
    kafka.read(target, len(SENT))

    kafka.add_partitions(source, 4)
    late = Record(b"k", b'{"device_type": "late"}', partition=3)
    kafka.produce(source, [late])
    assert pipeline.wait() == 78  # after topic.metadata.refresh.interval.ms and limits.PARTITION_METADATA_TIMEOUT
    (line,) = (line for line in pipeline.lines if "ERROR" in line)
    assert f"a partition 3 that the output topic '{target}' lacks: add partitions" in line

    kafka.add_partitions(target, 4)
    pipeline = pipelines.start(source, target)
    assert kafka.read(target, len(SENT) + 1) == ordered(list(map(expected, [*SENT, late])))
    assert pipeline.stop() == 0
