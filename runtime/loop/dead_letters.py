"""Builds the dead letter of a malformed record: the original, with headers that say why and where it comes from."""

from runtime.connect.timestamp_limits import TimestampLimits
from runtime.connect.topic_facts import TopicFacts
from runtime.loop.output_record import TAG, TIME_OF_PRODUCING, Headers, InputRecord, record_size
from transforms import Malformed, too_large

DETAIL = "malformed.detail"
TOPIC, PARTITION, OFFSET, MESSAGE = (f"__streams.errors.{name}" for name in ("topic", "partition", "offset", "message"))
"""The names that KIP-1034 of Kafka Streams gives these headers. Their values are text."""

NAMES = frozenset({TAG, DETAIL, TOPIC, PARTITION, OFFSET, MESSAGE})
"""The headers of a dead letter. Those of these names that a record came with are removed."""


class DeadLetters:
    """Builds dead letters that fit the dead-letter topic.

    Args:
        facts: the topic's facts; runtime/connect/topics.py has checked that a stub fits.
    """

    def __init__(self, facts: TopicFacts) -> None:
        self.topic = facts.name
        self.timestamps = TimestampLimits(facts.config)
        self._limit = facts.max_message_bytes

    def build(
        self, malformed: Malformed, key: bytes | None, timestamp: int, headers: Headers | None, record: InputRecord
    ) -> tuple[bytes | None, bytes | None, int, Headers]:
        """Give the value, key, timestamp and headers to produce.

        An original that does not fit is replaced by the stub that the output would have, with the reason too_large. If
        that does not fit either, it has none of the original's headers, and then no key.

        Args:
            malformed: why the record is malformed.
            key: the record's key.
            timestamp: its timestamp, in milliseconds.
            headers: its headers.
            record: the input record.
        """
        if self.timestamps.refuses(timestamp):
            timestamp = TIME_OF_PRODUCING
        value = record.value()
        others = [header for header in headers or () if header[0] not in NAMES]
        own = _headers(malformed, record)
        size = record_size(key, value, [*others, *own])
        if size > self._limit:
            detail = f"the dead letter would take {size} bytes, and the topic takes {self._limit}"
            stub = too_large(value, detail, topic=record.topic(), partition=record.partition(), offset=record.offset())
            value, own = stub.value, _headers(stub, record)
            if record_size(key, value, [*others, *own]) > self._limit:
                others = []
            if record_size(key, value, [*others, *own]) > self._limit:
                key = None
        return value, key, timestamp, [*others, *own]


def _headers(malformed: Malformed, record: InputRecord) -> Headers:
    content = {
        TAG: malformed.reason,
        DETAIL: malformed.detail,
        TOPIC: record.topic(),
        PARTITION: f"{record.partition()}",
        OFFSET: f"{record.offset()}",
        MESSAGE: f"{malformed.reason}: {malformed.detail}",
    }
    return [(name, text.encode()) for name, text in content.items()]
