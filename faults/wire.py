"""Reads the transaction requests that pass the proxy of row 13, and the error codes of their responses."""

import asyncio
import struct
from typing import NamedTuple

from confluent_kafka import KafkaError

from tools.broker.protocol import read_varint

PRODUCE, INIT_PRODUCER, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 0, 22, 24, 25, 26, 28
"""API keys."""
NAMES = {
    PRODUCE: "Produce",
    ADD_PARTITIONS: "AddPartitionsToTxn",
    ADD_OFFSETS: "AddOffsetsToTxn",
    END_TXN: "EndTxn",
    TXN_OFFSET_COMMIT: "TxnOffsetCommit",
}
"""The requests that belong to a transaction."""

# From this version on, strings have a variable length field and headers have tags.
_FLEXIBLE = {PRODUCE: 9, INIT_PRODUCER: 2, ADD_PARTITIONS: 3, ADD_OFFSETS: 3, END_TXN: 3, TXN_OFFSET_COMMIT: 3}


class Request(NamedTuple):
    """One request. `transaction` is its transactional id, empty if it has none."""

    key: int
    version: int
    correlation: int
    transaction: bytes
    frame: bytes

    @property
    def flexible(self) -> bool:
        """Whether its version has tags and lengths of variable size."""
        return self.version >= _FLEXIBLE.get(self.key, 1 << 15)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Read one request or answer, with its length field.

    Raises:
        asyncio.IncompleteReadError: the connection was closed.
    """
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack(">i", head)[0])


def parse_request(frame: bytes) -> Request:
    """Read the header and, of the requests in NAMES and InitProducerId, the transactional id."""
    key, version, correlation, length = struct.unpack_from(">hhih", frame, 4)
    request = Request(key, version, correlation, b"", frame)
    if key not in _FLEXIBLE:
        return request
    at = 14 + max(length, 0)  # after the client id
    size, at = _length(frame, at + 1, flexible=True) if request.flexible else _length(frame, at, flexible=False)
    return request._replace(transaction=frame[at : at + size])


def correlation_of(answer: bytes) -> int:
    """Read the number of the request that this answers."""
    return int(struct.unpack_from(">i", answer, 4)[0])


def error_of(request: Request, answer: bytes) -> int:
    """Read the error code (0 for none), of the first partition if there are several. Only for the requests in NAMES."""
    at = 9 if request.flexible else 8  # after the correlation id and tags
    if request.key != PRODUCE:
        at += 4  # the throttle time
    if request.key not in {END_TXN, ADD_OFFSETS}:
        _, at = _count(answer, at, flexible=request.flexible)
        size, at = _length(answer, at, flexible=request.flexible)
        _, at = _count(answer, at + size, flexible=request.flexible)
        at += 4  # the partition's number
    return int(struct.unpack_from(">h", answer, at)[0])


def error_name(code: int) -> str:
    """Return Kafka's name of an error code."""
    return str(KafkaError(code).name()).removeprefix("_") if code else "no error"


def _length(data: bytes, at: int, *, flexible: bool) -> tuple[int, int]:
    """Read a string's length. Return it (0 for null) and the place of the string."""
    if flexible:
        size, at = read_varint(data, at)
        return max(size - 1, 0), at
    return max(struct.unpack_from(">h", data, at)[0], 0), at + 2


def _count(data: bytes, at: int, *, flexible: bool) -> tuple[int, int]:
    """Read an array's count. Return it and the place of the first element."""
    if flexible:
        size, at = read_varint(data, at)
        return size - 1, at
    return struct.unpack_from(">i", data, at)[0], at + 4
