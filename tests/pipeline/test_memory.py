"""A worker's memory with many partitions; and records that are larger than what is fetched at once."""

import sys
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from tests.kafka import TIMEOUT, Kafka
from tests.process import RUNNING, Pipelines

pytestmark = pytest.mark.long

PARTITIONS = 64
MOST = 256 * 1024 * 1024  # bytes
PADDED = b'{"device_type":"ios","number":%d,"padding":"%s"}'


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory a process has held")
def test_bounded(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A backlog that compresses a hundredfold, and appears in 64 partitions at once, takes no more than 256 MiB."""
    source, target = topics("in", PARTITIONS), topics("out", PARTITIONS)
    pipeline = pipelines.start(source, target)
    producer = Producer(
        {"bootstrap.servers": kafka.address, "transactional.id": source, "compression.type": "gzip", "linger.ms": 1_000}
    )
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    count, padding = 75 * PARTITIONS, b"x" * 40_000
    for number in range(count):  # 192 MB
        producer.produce(source, PADDED % (number, padding), partition=number % PARTITIONS)
    producer.flush(TIMEOUT)
    pipeline.wait_for(RUNNING)
    producer.commit_transaction(TIMEOUT)

    assert len(kafka.read(target, count, 2 * TIMEOUT)) == count
    assert pipeline.peak_memory < MOST
    assert pipeline.stop() == 0


def test_large_records(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """Records of 1 MB, far larger than what is fetched at once, come through from each of 64 partitions."""
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
