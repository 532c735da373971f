"""Builds the output record: the transforms' result, the tag of a malformed record, and a stub if it is too large."""

from typing import Protocol

from runtime.connect.timestamp_limits import TimestampLimits
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed
from runtime.observe.counters import Totals
from transforms import Malformed, refused_timestamp, too_large

Headers = list[tuple[str, bytes | None]]

TAG = "malformed"
TIME_OF_PRODUCING = 0
"""The client replaces this timestamp with the current time."""
_BATCH_HEADER = 61  # bytes of a record batch (message format 2) before its first record
_MAX_OVERHEAD = 200  # bytes; above the batch header and a record's other fields


class InputRecord(Protocol):
    """The part of confluent-kafka's Message that is used here."""

    def topic(self) -> str:
        """The input topic."""

    def partition(self) -> int:
        """The input partition."""

    def offset(self) -> int:
        """The offset in the partition."""

    def value(self) -> bytes | None:
        """The input value."""


class Output:
    """Builds the value, headers and timestamp to produce.

    Args:
        facts: the output topic's facts.
        totals: counts malformed records.
    """

    def __init__(self, facts: TopicFacts, totals: Totals) -> None:
        self.topic = facts.name
        self.totals = totals
        self.timestamps = TimestampLimits(facts.config)
        self._limit = facts.max_message_bytes
        self.max_plain_bytes = self._limit - _MAX_OVERHEAD
        """A record without headers fits if key and value together have at most this many bytes."""

    def build(
        self, result: bytes | Malformed, key: bytes | None, timestamp: int, headers: Headers | None, record: InputRecord
    ) -> tuple[bytes | None, int, Headers, Malformed | None]:
        """Give the value, timestamp and headers to produce, and why the record is malformed, if it is.

        Args:
            result: the transforms' result.
            key: the record's key.
            timestamp: the record's timestamp, in milliseconds.
            headers: the record's headers.
            record: the input record.

        Raises:
            Failed: the record is too large for the topic, and so is its stub.
        """
        if self.timestamps.refuses(timestamp):
            result, timestamp = refused_timestamp(result, record.value(), timestamp), TIME_OF_PRODUCING
        other_headers = [header for header in headers or () if header[0] != TAG]
        value, tagged = self._with_tag(result, other_headers)
        size = record_size(key, value, tagged)
        if size > self._limit:
            detail = f"the record would take {size} bytes, and the topic takes {self._limit}"
            result = too_large(
                record.value(), detail, topic=record.topic(), partition=record.partition(), offset=record.offset()
            )
            value, tagged = self._with_tag(result, other_headers)
            self._refuse_if_too_large(record_size(key, value, tagged), record)
        if not isinstance(result, Malformed):
            return value, timestamp, tagged, None
        self.totals.count(result.reason, record.topic(), record.partition(), record.offset())
        return value, timestamp, tagged, result

    @staticmethod
    def _with_tag(result: bytes | Malformed, headers: Headers) -> tuple[bytes | None, Headers]:
        if isinstance(result, Malformed):
            return result.value, [*headers, (TAG, result.reason.encode())]
        return result, headers

    def _refuse_if_too_large(self, size: int, record: InputRecord) -> None:
        if size > self._limit:
            raise Failed(
                f"the record {place_of(record)} is too large, and its stub has {size} bytes: max.message.bytes of "
                f"{self.topic} must be larger than {self._limit}"
            )


def place_of(record: InputRecord) -> str:
    """Name a record by topic, partition and offset: topic[partition]@offset."""
    return f"{record.topic()}[{record.partition()}]@{record.offset()}"


def record_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """The size of a batch with only this record, in bytes, uncompressed (Kafka's message format 2)."""
    body = 3 + _field(key) + _field(value) + _varint(len(headers))  # 3: attributes, timestamp and offset deltas
    for name, content in headers:
        body += _field(name.encode()) + _field(content)
    return _BATCH_HEADER + _varint(body) + body


def _field(content: bytes | None) -> int:
    return 1 if content is None else _varint(len(content)) + len(content)


def _varint(number: int) -> int:
    """The size of a zigzag varint in bytes: seven bits per byte."""
    return max(1, -(-(2 * number).bit_length() // 7))
