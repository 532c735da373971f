"""Large records: larger than one fetch, and a backlog of them."""

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from tests.kafka import TIMEOUT, Kafka
from tests.process import Pipelines, group_of
from tools.process_state import usage
from tools.waiting import wait_until

pytestmark = pytest.mark.long

PARTITIONS = 64
TRANSACTIONS = 14  # 9 were measured; 20 if each takes only what waits in librdkafka
PEAK = 256 * 1024**2  # bytes
PADDED = b'{"device_type":"ios","number":%d,"padding":"%s"}'


def test_large_records(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """Records of 1 MB, far larger than one fetch, are processed from each of 64 partitions."""
    source, target = topics("in", PARTITIONS), topics("out", PARTITIONS)
    values = [PADDED % (number, b"x" * 1_000_000) for number in range(PARTITIONS)]
    producer = Producer({"bootstrap.servers": kafka.address, "message.max.bytes": 1_048_588})
    for number, value in enumerate(values):
        producer.produce(source, value, partition=number)
    assert producer.flush(TIMEOUT) == 0
    pipeline = pipelines.start(source, target)

    found = kafka.read(target, PARTITIONS)
    assert [record.value for record in found] == [value.replace(b"ios", b"IOS") for value in values]
    assert pipeline.stop() == 0


def test_backlog(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A backlog of large records takes few transactions, like one of small records, and little memory.

    If the broker pauses, the worker commits what it has: the least of some tries counts.
    """
    tries = (transactions(kafka, topics("in"), topics("out"), pipelines) for _ in range(3))
    assert any(number <= TRANSACTIONS for number in tries)


def transactions(kafka: Kafka, source: str, target: str, pipelines: Pipelines) -> int:
    """Process a backlog, check the worker's memory, and give the number of transactions."""
    count = 60_000
    producer = Producer({"bootstrap.servers": kafka.address, "compression.type": "lz4", "linger.ms": 100})
    for number in range(count):
        producer.produce(source, PADDED % (number, b"x" * 8_000))
        producer.poll(0)
    assert producer.flush(TIMEOUT) == 0
    pipeline = pipelines.start(source, target, COMMIT_INTERVAL=10)

    def markers() -> int:
        """Records in the output log that are not ours: one ends each transaction."""
        return kafka.end_offsets(target)[0] - count

    wait_until(
        lambda: markers() > 0 and kafka.committed(group_of(source), source)[0] == count, "all committed", 2 * TIMEOUT
    )
    used = usage(pipeline.pid)
    assert used
    assert used.peak <= PEAK
    assert pipeline.stop() == 0
    return markers()
