"""Kafka's wire format: what confluent-kafka has no call for, such as rare admin requests and the size of a batch."""

import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_TIMEOUT = 30.0  # seconds
_OUTER = struct.Struct(">qi")  # a batch's offset and length
_SUMMED = struct.Struct(">ibI")  # its leader's epoch, format and checksum
_COVERED = struct.Struct(">hiqqqhii")  # attributes, last offset, times, producer's id, epoch and sequence, count


class RawRecord(NamedTuple):
    """A record as Kafka stores it: the names of headers are bytes."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()


def ask(address: str, api: int, version: int, body: bytes, *, flexible: bool = False) -> bytes:
    """Send one request on a new connection and return the body of the response.

    Args:
        address: bootstrap servers; the first one is asked.
        api: the API key.
        version: of the request.
        body: of the request.
        flexible: whether this version's headers have tags.
    """
    request = struct.pack(">hhih", api, version, 1, -1) + (b"\0" if flexible else b"") + body
    host, _, port = address.split(",", maxsplit=1)[0].rpartition(":")
    with socket.create_connection((host, int(port)), _TIMEOUT) as connection, connection.makefile("rb") as answers:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", answers.read(4))
        answer: bytes = answers.read(length)
    return answer[5:] if flexible else answer[4:]  # after the correlation id, and its tags


def string(text: str | None) -> bytes:
    """Write a string with its length in two bytes."""
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text.encode())) + text.encode()


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned number of variable length; return it and the place after it."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at


def record_batch(records: Sequence[RawRecord], timestamp: int) -> bytes:
    """Write an uncompressed record batch of message format 2; all records have this timestamp, in milliseconds."""
    written = b"".join(_record(number, record) for number, record in enumerate(records))
    count = len(records)
    covered = _COVERED.pack(0, count - 1, timestamp, timestamp, -1, -1, -1, count) + written
    summed = _SUMMED.pack(-1, 2, crc32c(covered)) + covered
    return _OUTER.pack(0, len(summed)) + summed


def batch_size(record: RawRecord) -> int:
    """The bytes of an uncompressed batch that contains only this record."""
    return _OUTER.size + _SUMMED.size + _COVERED.size + len(_record(0, record))


def crc32c(data: bytes) -> int:
    """The checksum of a batch (Castagnoli's polynomial)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CHECKSUMS[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _checksum(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
    return number


_CHECKSUMS = [_checksum(number) for number in range(256)]


def _record(number: int, record: RawRecord) -> bytes:
    parts = [b"\0", _varint(0), _varint(number), _field(record.key), _field(record.value), _varint(len(record.headers))]
    return _with_length([*parts, *(_field(part) for header in record.headers for part in header)])


def _with_length(parts: Iterable[bytes]) -> bytes:
    joined = b"".join(parts)
    return _varint(len(joined)) + joined


def _field(content: bytes | None) -> bytes:
    return _varint(-1) if content is None else _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Write a signed number of variable length (zigzag)."""
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    written = bytearray()
    while rest > 0x7F:  # noqa: PLR2004  (seven bits in each byte)
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])
