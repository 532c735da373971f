"""What is produced for one record: the map's result, tagged if it is malformed, and nothing that the topic refuses."""

from typing import Protocol

from runtime.connect.timestamp_limits import TimestampLimits
from runtime.errors import Failed
from runtime.observe.counters import Totals
from transforms import Malformed, refused_timestamp, too_large

Headers = list[tuple[str, bytes | None]]

TAG = "malformed"
TIME_OF_PRODUCING = 0
"""A timestamp that the client replaces by the present time."""
_BATCH_HEADER = 61  # bytes of a record batch (message format 2) before its first record
_SPARE = 200  # more than the batch header and the fixed parts of a record take


class InputRecord(Protocol):
    """The record in hand, as confluent-kafka's Message gives it."""

    def topic(self) -> str:
        """The input topic."""

    def partition(self) -> int:
        """The partition that it came from."""

    def offset(self) -> int:
        """Its offset there."""

    def value(self) -> bytes | None:
        """Its value as it came."""


class Output:
    """Decides the value, the headers and the timestamp to produce."""

    def __init__(self, topic: str, max_message_bytes: int, timestamps: TimestampLimits, totals: Totals) -> None:
        self._topic = topic
        self._limit = max_message_bytes
        self.totals = totals
        self.timestamps = timestamps
        self.max_plain_bytes = max_message_bytes - _SPARE
        """Bytes of key and value together that fit for certain into a record without headers."""

    def build(
        self, result: bytes | Malformed, key: bytes | None, timestamp: int, headers: Headers | None, record: InputRecord
    ) -> tuple[bytes | None, int, Headers]:
        """Give value, timestamp and headers to produce for what the map made of a record.

        Raises:
            Failed: the record is too large for the topic, and so is the stub in its place.
        """
        if self.timestamps.refuses(timestamp):
            result, timestamp = refused_timestamp(result, record.value(), timestamp), TIME_OF_PRODUCING
        kept = [header for header in headers or () if header[0] != TAG]
        value, tagged = self._tagged(result, kept)
        size = record_size(key, value, tagged)
        if size > self._limit:
            detail = f"the record would take {size} bytes, and the topic takes {self._limit}"
            result = too_large(
                record.value(), detail, topic=record.topic(), partition=record.partition(), offset=record.offset()
            )
            value, tagged = self._tagged(result, kept)
            self._refuse_if_too_large(record_size(key, value, tagged), record)
        if isinstance(result, Malformed):
            self.totals.count(result.reason, record.partition(), record.offset())
        return value, timestamp, tagged

    @staticmethod
    def _tagged(result: bytes | Malformed, kept: Headers) -> tuple[bytes | None, Headers]:
        if isinstance(result, Malformed):
            return result.value, [*kept, (TAG, result.reason.encode())]
        return result, kept

    def _refuse_if_too_large(self, size: int, record: InputRecord) -> None:
        if size > self._limit:
            raise Failed(
                f"the record {place_of(record)} is too large, and even a stub in its place takes {size} bytes: give "
                f"{self._topic} a larger max.message.bytes than {self._limit}"
            )


def place_of(record: InputRecord) -> str:
    """Name a record by where it is: topic[partition]@offset."""
    return f"{record.topic()}[{record.partition()}]@{record.offset()}"


def record_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes that the record takes in a batch of its own, uncompressed (Kafka's message format 2)."""
    body = 3 + _field(key) + _field(value) + _varint(len(headers))  # 3: attributes, timestamp and offset deltas
    for name, content in headers:
        body += _field(name.encode()) + _field(content)
    return _BATCH_HEADER + _varint(body) + body


def _field(content: bytes | None) -> int:
    return 1 if content is None else _varint(len(content)) + len(content)


def _varint(number: int) -> int:
    """Bytes of a length as a zigzag varint: seven bits a byte."""
    return max(1, -(-(2 * number).bit_length() // 7))
