"""Records that are larger than one fetch."""

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from tests.kafka import TIMEOUT, Kafka
from tests.process import Pipelines

pytestmark = pytest.mark.long

PARTITIONS = 64
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
