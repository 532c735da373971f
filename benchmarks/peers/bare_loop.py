"""A fast plain loop over confluent-kafka: 1,000 records at once, orjson, well tuned. It guarantees nothing."""

import signal
import sys
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer

CONSUMER = {
    "auto.offset.reset": "earliest",
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 200_000,
}
PRODUCER = {
    "compression.type": "lz4",
    "linger.ms": 5,
    "queue.buffering.max.messages": 500_000,
    "delivery.report.only.error": True,
}


def upper(value: bytes | None) -> bytes:
    """Upper-case `device_type`. A value that is not a JSON object becomes an empty one."""
    try:
        login = orjson.loads(value or b"")
        if "device_type" in login:
            login["device_type"] = login["device_type"].upper()
    except (ValueError, TypeError, AttributeError):
        login = {}
    return orjson.dumps(login)


def main(address: str, source: str, target: str, group: str) -> None:
    """Run until SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    consumer = Consumer({"bootstrap.servers": address, "group.id": group, **CONSUMER})
    producer = Producer({"bootstrap.servers": address, **PRODUCER})
    consumer.subscribe([source])
    try:
        while True:
            for message in consumer.consume(1000, 0.1):
                _produce(producer, target, upper(message.value()), message.key())
            producer.poll(0)
    except KeyboardInterrupt:
        producer.flush()
        consumer.close()


def _produce(producer: Any, target: str, value: bytes, key: bytes | None) -> None:  # noqa: ANN401  (it has no types)
    while True:
        try:
            producer.produce(target, value, key)
        except BufferError:  # its queue is full
            producer.poll(0.1)
        else:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
