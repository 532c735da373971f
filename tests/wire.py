"""Kafka's protocol by hand, for what confluent-kafka can't do: header names of any bytes, an admin's rarer requests."""

import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_PRODUCE, _LEAVE_GROUP, _LIST_TRANSACTIONS = 0, 13, 66
_TIMEOUT = 10.0  # seconds
_OUTER = struct.Struct(">qi")  # a batch's offset and length
_SUMMED = struct.Struct(">ibI")  # its leader's epoch, format and checksum
_COVERED = struct.Struct(">hiqqqhii")  # attributes, last offset, times, producer's id, epoch and sequence, count


class RawRecord(NamedTuple):
    """A record as Kafka knows it: the names of headers are bytes."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()


def produce(address: str, topic: str, records: Sequence[RawRecord], timestamp: int, partition: int = 0) -> None:
    """Write the records, as one batch, to a partition; AssertionError where the broker refuses them."""
    batch = record_batch(records, timestamp)
    body = _string(None) + struct.pack(">hi", -1, int(_TIMEOUT * 1000))  # no transaction, all replicas
    body += struct.pack(">i", 1) + _string(topic)
    body += struct.pack(">iii", 1, partition, len(batch)) + batch
    answer = _ask(address, _PRODUCE, 3, body)
    (error,) = struct.unpack_from(">h", answer, 4 + 2 + len(topic.encode()) + 4 + 4)
    assert error == 0, f"the broker answered {error} to Produce"


def leave_group(address: str, group: str, member: str) -> None:
    """Take a member out of its group, as the group's coordinator does with one that is not heard of any more."""
    answer = _ask(address, _LEAVE_GROUP, 0, _string(group) + _string(member))
    (error,) = struct.unpack(">h", answer)
    assert error == 0, f"the broker answered {error} to LeaveGroup"


def transactional_ids(address: str) -> list[str]:
    """The transactional ids that the broker knows."""
    answer = _ask(address, _LIST_TRANSACTIONS, 0, b"\x01\x01\x00", flexible=True)  # all states, all producers
    (error,) = struct.unpack_from(">h", answer, 4)
    assert error == 0, f"the broker answered {error} to ListTransactions"
    _, at = _compact(answer, 6)  # filters that it does not know: none
    count, at = _compact(answer, at)
    found = []
    for _ in range(count):
        length, at = _compact(answer, at)
        found.append(answer[at : at + length].decode())
        at += length + 8  # the producer's id
        length, at = _compact(answer, at)
        at += length + 1  # the state; no tags
    return found


def record_batch(records: Sequence[RawRecord], timestamp: int) -> bytes:
    """A record batch of message format 2, uncompressed."""
    written = b"".join(_record(number, record) for number, record in enumerate(records))
    count = len(records)
    covered = _COVERED.pack(0, count - 1, timestamp, timestamp, -1, -1, -1, count) + written
    summed = _SUMMED.pack(-1, 2, crc32c(covered)) + covered
    return _OUTER.pack(0, len(summed)) + summed


def batch_size(record: RawRecord) -> int:
    """Bytes of an uncompressed batch that holds this record alone."""
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
    parts += [_field(part) for header in record.headers for part in header]
    return _with_length(parts)


def _with_length(parts: Iterable[bytes]) -> bytes:
    joined = b"".join(parts)
    return _varint(len(joined)) + joined


def _field(content: bytes | None) -> bytes:
    return _varint(-1) if content is None else _varint(len(content)) + content


def _varint(number: int) -> bytes:
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])


def _compact(data: bytes, at: int) -> tuple[int, int]:
    """A compact length, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number - 1, at


def _string(text: str | None) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text.encode())) + text.encode()


def _ask(address: str, api: int, version: int, body: bytes, *, flexible: bool = False) -> bytes:
    """Send one request on a connection of its own, and give the answer's body."""
    request = struct.pack(">hhi", api, version, 1) + _string("tests") + (b"\0" if flexible else b"") + body
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=_TIMEOUT) as connection,
        connection.makefile("rb") as answers,
    ):
        connection.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", answers.read(4))
        answer: bytes = answers.read(length)
    assert struct.unpack_from(">i", answer) == (1,)
    return answer[5:] if flexible else answer[4:]
