"""Sends many records quickly, in parts: the screen is drawn between them."""

import time
from itertools import islice

from confluent_kafka import Producer

from tools.generator.logins import records

_PART = 5_000  # records: some 50 ms
_QUEUE = 100_000  # records that the producer takes
_FLUSH_TIMEOUT = 5.0  # seconds


class Burst:
    """The records that are still to be sent to a topic; `malformed` is the share of malformed ones."""

    def __init__(self, address: str, topic: str, malformed: float) -> None:
        self._producer = Producer({"bootstrap.servers": address, "log_level": 0})
        self._topic = topic
        self._source = records(None, malformed, time.time)
        self._left = 0

    def add(self, count: int) -> None:
        """Have more records sent."""
        self._left += count

    def send(self) -> None:
        """Send the next part."""
        part = min(self._left, _PART, _QUEUE - len(self._producer))
        for record in islice(self._source, part):
            self._producer.produce(self._topic, record.value, record.key)
        self._left -= part
        self._producer.poll(0)

    def stop(self) -> None:
        """Send no more, and wait for the delivery of what was sent."""
        self._left = 0
        self._producer.flush(_FLUSH_TIMEOUT)
