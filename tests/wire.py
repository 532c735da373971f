"""Sends requests to a broker in Kafka's own wire format, and encodes record batches."""

import struct
from collections.abc import Sequence

from tools.broker.protocol import RawRecord, ask, encode_record, read_varint, string

_PRODUCE, _LEAVE_GROUP, _LIST_TRANSACTIONS = 0, 13, 66
_TIMEOUT = 10_000  # milliseconds
_OUTER = struct.Struct(">qi")  # a batch's offset and length
_SUMMED = struct.Struct(">ibI")  # its leader's epoch, format and checksum
_COVERED = struct.Struct(">hiqqqhii")  # attributes, last offset, times, producer's id, epoch and sequence, count


def produce(address: str, topic: str, records: Sequence[RawRecord], timestamp: int, partition: int = 0) -> None:
    """Write the records, as one batch, to a partition, or raise AssertionError if the broker refuses them."""
    batch = record_batch(records, timestamp)
    body = string(None) + struct.pack(">hi", -1, _TIMEOUT)  # no transaction, all replicas
    body += struct.pack(">i", 1) + string(topic)
    body += struct.pack(">iii", 1, partition, len(batch)) + batch
    answer = ask(address, _PRODUCE, 3, body)
    (error,) = struct.unpack_from(">h", answer, 4 + 2 + len(topic.encode()) + 4 + 4)
    assert error == 0, f"the broker answered {error} to Produce"


def leave_group(address: str, group: str, member: str) -> None:
    """Remove a member from its group, as the group's coordinator does after a session timeout."""
    answer = ask(address, _LEAVE_GROUP, 0, string(group) + string(member))
    (error,) = struct.unpack(">h", answer)
    assert error == 0, f"the broker answered {error} to LeaveGroup"


def transactional_ids(address: str) -> list[str]:
    """The transactional ids that the broker knows."""
    answer = ask(address, _LIST_TRANSACTIONS, 0, b"\x01\x01\x00", flexible=True)  # all states, all producers
    (error,) = struct.unpack_from(">h", answer, 4)
    assert error == 0, f"the broker answered {error} to ListTransactions"
    _, at = read_varint(answer, 6)  # filters that it does not know: none
    count, at = read_varint(answer, at)
    found = []
    for _ in range(count - 1):  # compact lengths are one more than what they count
        length, at = read_varint(answer, at)
        found.append(answer[at : at + length - 1].decode())
        at += length - 1 + 8  # the producer's id
        length, at = read_varint(answer, at)
        at += length - 1 + 1  # the state; no tags
    return found


def record_batch(records: Sequence[RawRecord], timestamp: int) -> bytes:
    """An uncompressed record batch of message format 2. All records have this timestamp, in milliseconds."""
    written = b"".join(encode_record(number, record) for number, record in enumerate(records))
    count = len(records)
    covered = _COVERED.pack(0, count - 1, timestamp, timestamp, -1, -1, -1, count) + written
    summed = _SUMMED.pack(-1, 2, crc32c(covered)) + covered
    return _OUTER.pack(0, len(summed)) + summed


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
