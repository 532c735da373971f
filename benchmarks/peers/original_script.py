"""The original consumer_producer.py, rewritten: poll, decode, `{}` on error, ten at a time, flush."""

import json
import logging
import signal
import sys

from confluent_kafka import Consumer, Message, Producer

BATCH_SIZE = 10

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)


def process_message(message: Message) -> bytes:
    """Upper-case `device_type`. A value that is not JSON becomes an empty object."""
    try:
        data = json.loads(message.value().decode("utf-8"))
    except json.JSONDecodeError:
        logger.exception("Error decoding JSON")
        data = {}
    if "device_type" in data:
        data["device_type"] = data["device_type"].upper()
    else:
        logger.warning("'device_type' key not found in message: %s", data)
    return json.dumps(data).encode("utf-8")


def main(address: str, source: str, target: str, group: str) -> None:
    """Run until SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    consumer = Consumer({"bootstrap.servers": address, "group.id": group, "auto.offset.reset": "earliest"})
    producer = Producer({"bootstrap.servers": address})
    messages: list[bytes] = []

    def produce_messages() -> None:
        for value in messages:
            producer.produce(target, value)
        producer.flush()
        messages.clear()

    consumer.subscribe([source])
    try:
        while True:
            message = consumer.poll(timeout=1.0)
            if message is None:
                continue
            if message.error():
                logger.error(message.error())
                break
            messages.append(process_message(message))
            if len(messages) >= BATCH_SIZE:
                produce_messages()
    except KeyboardInterrupt:
        pass
    finally:
        produce_messages()
        consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
