"""Decompression bombs: batches that unpack to far more bytes than were sent."""

from confluent_kafka import KafkaError, Producer

from tests.kafka import TIMEOUT, Kafka
from tests.process import Pipelines

UNPACKED = 90_000_000  # bytes; about 3 kB compressed, and more than librdkafka unpacks
FEW = 5_000_000  # bytes; above the topic's limit, but small enough for the test's broker


def send_bomb(kafka: Kafka, topic: str, unpacked: int = UNPACKED) -> KafkaError | None:
    """Send a batch that unpacks to this many bytes, and return the broker's error, if any."""
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
    """A topic with compression.type=uncompressed refuses a batch that unpacks to more than its max.message.bytes."""
    error = send_bomb(kafka, kafka.create_topic("unpacked", config={"compression.type": "uncompressed"}), FEW)
    assert error is not None
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE


def test_stops(kafka: Kafka, pipelines: Pipelines) -> None:
    """A bomb in the input stops the pipeline with exit code 70 and one line that says what to do."""
    source, target = kafka.create_topic("bomb-in"), kafka.create_topic("bomb-out")
    assert send_bomb(kafka, source) is None
    pipeline = pipelines.start(source, target)
    assert pipeline.wait(timeout=60) == 70
    assert "Traceback" not in pipeline.log
    for text in (f"cannot decompress the batch at {source}[0]@0", "--reset-offsets", "SECURITY.md"):
        assert text in pipeline.lines[-1]
