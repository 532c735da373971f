"""Batches that unpack to far more than was sent: what stops them, and what is said where nothing does."""

from confluent_kafka import KafkaError, Producer

from tests.kafka import TIMEOUT, Kafka
from tests.pipeline.lasting import topic_without_retention
from tests.process import Pipelines

UNPACKED = 90_000_000  # bytes; some 3 kB on the way, and more than librdkafka unpacks
FEW = 5_000_000  # bytes; more than the topic takes, and no more than the test's small broker has room for


def send_bomb(kafka: Kafka, topic: str, unpacked: int = UNPACKED) -> KafkaError | None:
    """Write it; give the error with which the broker refuses it, if it does."""
    errors: list[KafkaError | None] = []
    producer = Producer(
        {
            "bootstrap.servers": kafka.address,
            "compression.type": "zstd",
            "message.max.bytes": 1_000_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )
    producer.produce(topic, b" " * unpacked, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(TIMEOUT) == 0
    return errors[0]


def test_refused(kafka: Kafka) -> None:
    """A topic with compression.type=uncompressed takes no batch that unpacks to more than its max.message.bytes."""
    error = send_bomb(
        kafka, topic_without_retention(kafka, "unpacked", config={"compression.type": "uncompressed"}), FEW
    )
    assert error is not None
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_stops(kafka: Kafka, pipelines: Pipelines) -> None:
    """Where one got in, the pipeline does not pass over it: it ends in 70, with one line that says what to do."""
    source, target = topic_without_retention(kafka, "bomb-in"), topic_without_retention(kafka, "bomb-out")
    assert send_bomb(kafka, source) is None
    pipeline = pipelines.start(source, target)
    assert pipeline.wait(timeout=60) == 70
    assert "Traceback" not in pipeline.log
    for text in (f"cannot decompress the batch at {source}[0]@0", "--reset-offsets", "SECURITY.md"):
        assert text in pipeline.lines[-1]
