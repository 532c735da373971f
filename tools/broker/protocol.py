"""Kafka's wire format: what confluent-kafka has no call for, such as rare admin requests and the size of a batch."""

import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_TIMEOUT = 30.0  # seconds
BATCH_HEADER = 61
"""The bytes of a batch before its first record."""


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
    """Read an unsigned number of variable length. Return it and the place after it."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at


def batch_size(record: RawRecord) -> int:
    """The bytes of an uncompressed batch that contains only this record."""
    return BATCH_HEADER + len(encode_record(0, record))


def encode_record(number: int, record: RawRecord) -> bytes:
    """Write a record of message format 2 that has this number in its batch."""
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
