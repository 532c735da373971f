"""A worker's memory with many partitions; and records that are larger than what is fetched at once."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.kafka import TIMEOUT, Kafka
from tests.process import RUNNING, Pipelines
from tools.waiting import wait_until

pytestmark = pytest.mark.long

PARTITIONS = 64
COUNT = 225 * PARTITIONS  # 576 MB
MOST = 256 * 1024 * 1024  # bytes
PADDED = b'{"device_type":"ios","number":%d,"padding":"%s"}'


@pytest.fixture(scope="module")
def script() -> Path:
    """What `pipelines` start here, for FETCH_MAX_BYTES."""
    return Path(__file__).parents[1] / "parity" / "run_pipeline.py"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory a process has held")
@pytest.mark.parametrize(
    ("settings", "is_bounded"), [({}, True), ({"FETCH_MAX_BYTES": 50_000_000}, False)], ids=["ours", "unbounded"]
)
def test_backlog(
    kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, settings: dict[str, int], *, is_bounded: bool
) -> None:
    """A backlog that compresses a hundredfold, and appears in 64 partitions at once, takes no more than 256 MiB.

    It takes more if a fetch may hold all of it.
    """
    source, target = topics("in", PARTITIONS), topics("out", PARTITIONS)
    pipeline = pipelines.start(source, target, **settings)
    pipeline.wait_for(RUNNING)
    produce_at_once(kafka.address, source)
    wait_until(lambda: sum(kafka.end_offsets(target).values()) > COUNT / 4, "a quarter of it is written", 4 * TIMEOUT)
    assert (pipeline.peak_memory < MOST) is is_bounded
    assert pipeline.stop() == 0


def produce_at_once(address: str, topic: str) -> None:
    """Write COUNT records in one transaction."""
    compressed = {"compression.type": "gzip", "linger.ms": 1_000}
    transaction = {"transactional.id": topic, "transaction.timeout.ms": 600_000}
    producer = Producer({"bootstrap.servers": address, **compressed, **transaction})
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    padding = b"x" * 40_000
    for number in range(COUNT):
        producer.produce(topic, PADDED % (number, padding), partition=number % PARTITIONS)
        if number % (25 * PARTITIONS) == 0:
            producer.flush(2 * TIMEOUT)  # bounds our own memory
    producer.flush(2 * TIMEOUT)
    producer.commit_transaction(TIMEOUT)


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
