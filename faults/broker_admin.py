"""Admin requests of the faults that confluent-kafka does not offer: produce quotas, and moving partitions."""

import struct
from collections.abc import Mapping, Sequence

from tools.broker.protocol import ask, string

_ALTER_CLIENT_QUOTAS, _ALTER_PARTITION_REASSIGNMENTS = 49, 45
_TIMEOUT = 30_000  # milliseconds


class BrokerRefusedError(Exception):
    """The broker refused a request. The text has its error code."""


def set_produce_quota(address: str, rate: float | None, client: str | None = None) -> None:
    """Set the quota `producer_byte_rate` of a client id, in bytes per second.

    Args:
        address: bootstrap servers.
        rate: None removes the quota.
        client: the client id; None for all client ids without a quota of their own.

    Raises:
        BrokerRefusedError: the broker refused it.
    """
    entity = struct.pack(">i", 1) + string("client-id") + string(client)
    operation = struct.pack(">i", 1) + string("producer_byte_rate") + struct.pack(">d?", rate or 0.0, rate is None)
    answer = ask(address, _ALTER_CLIENT_QUOTAS, 0, struct.pack(">i", 1) + entity + operation + b"\0")
    _check(answer, 8)  # after the throttle time and the count


def reassign(address: str, topic: str, replicas: Mapping[int, Sequence[int]]) -> None:
    """Start to move each partition to these brokers, the first of which is the preferred leader.

    Raises:
        BrokerRefusedError: the broker refused it.
    """
    moves = b""
    for partition, nodes in replicas.items():
        moves += struct.pack(">i", partition) + _count(nodes) + struct.pack(f">{len(nodes)}i", *nodes) + b"\0"
    name = topic.encode()
    topics = _count([topic]) + _count(name) + name + _count(replicas) + moves + b"\0"
    body = struct.pack(">i", _TIMEOUT) + topics + b"\0"
    answer = ask(address, _ALTER_PARTITION_REASSIGNMENTS, 0, body, flexible=True)
    _check(answer, 4)  # after the throttle time


def _check(answer: bytes, at: int) -> None:
    (code,) = struct.unpack_from(">h", answer, at)
    if code:
        raise BrokerRefusedError(f"error code {code}")


def _count(elements: Sequence[object] | Mapping[int, object] | bytes) -> bytes:
    """Write the length field of the newer form, which has one byte up to 126."""
    return bytes((len(elements) + 1,))
