"""Requests to a broker that confluent-kafka has no call for: quotas, and partitions that move to other brokers."""

import socket
import struct
from collections.abc import Mapping, Sequence

_ALTER_CLIENT_QUOTAS, _ALTER_PARTITION_REASSIGNMENTS = 49, 45
_TIMEOUT = 30.0  # seconds


class BrokerRefusedError(Exception):
    """The broker refused a request; the text has its error code."""


def set_produce_quota(address: str, rate: float | None, client: str | None = None) -> None:
    """Set the quota `producer_byte_rate` of a client id, in bytes per second.

    Args:
        address: of any broker.
        rate: None removes the quota.
        client: the client id; None for all client ids without a quota of their own.

    Raises:
        BrokerRefusedError: the broker refuses it.
    """
    entity = struct.pack(">i", 1) + _string("client-id") + _string(client)
    operation = struct.pack(">i", 1) + _string("producer_byte_rate") + struct.pack(">d?", rate or 0.0, rate is None)
    answer = _ask(address, _ALTER_CLIENT_QUOTAS, b"", struct.pack(">i", 1) + entity + operation + b"\0")
    _check(answer, 12)  # behind the correlation id, the throttle time and the count


def reassign(address: str, topic: str, replicas: Mapping[int, Sequence[int]]) -> None:
    """Let each of these partitions move to these brokers, the first of which is to lead; returns before it is done.

    Raises:
        BrokerRefusedError: the broker refuses it.
    """
    moves = b""
    for partition, nodes in replicas.items():
        moves += struct.pack(">i", partition) + _count(nodes) + struct.pack(f">{len(nodes)}i", *nodes) + b"\0"
    name = topic.encode()
    topics = _count([topic]) + _count(name) + name + _count(replicas) + moves + b"\0"
    body = struct.pack(">i", int(_TIMEOUT * 1000)) + topics + b"\0"
    answer = _ask(address, _ALTER_PARTITION_REASSIGNMENTS, b"\0", body)
    _check(answer, 9)  # behind the correlation id, tags and the throttle time


def _ask(address: str, key: int, tags: bytes, body: bytes) -> bytes:
    """Send version 0 of a request and wait for the answer."""
    host, port = address.split(",", maxsplit=1)[0].split(":")
    request = struct.pack(">hhih", key, 0, 0, -1) + tags + body
    with socket.create_connection((host, int(port)), _TIMEOUT) as connection, connection.makefile("rb") as answers:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", answers.read(4))
        return answers.read(size)


def _check(answer: bytes, at: int) -> None:
    (code,) = struct.unpack_from(">h", answer, at)
    if code:
        raise BrokerRefusedError(f"error code {code}")


def _string(text: str | None) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


def _count(elements: Sequence[object] | Mapping[int, object] | bytes) -> bytes:
    """Write the length field of the newer form, which has one byte up to 126."""
    return bytes((len(elements) + 1,))
