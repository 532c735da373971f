"""Requests to brokers. Confluent's client lacks those for produce quotas and for moving partitions."""

import struct
from collections.abc import Mapping, Sequence

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

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


def in_sync(address: str) -> bool | None:
    """Whether all replicas of all partitions are in sync, or None if no broker answers."""
    try:  # a new client: librdkafka may lose a request of one that was connected to a dead broker
        found = AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=10).topics.values()
    except KafkaException:
        return None
    partitions = [partition for topic in found for partition in topic.partitions.values()]
    return all(len(partition.isrs) == len(partition.replicas) for partition in partitions)


def with_partitions(admin: AdminClient, group: str) -> int:
    """The number of a stable group's members that have partitions, or 0 if it is not stable or does not answer."""
    try:
        found = admin.describe_consumer_groups([group])[group].result(30)
    except KafkaException:  # its coordinator is away
        return 0
    members = [member for member in found.members if member.assignment.topic_partitions]
    return len(members) if found.state == ConsumerGroupState.STABLE else 0


def _check(answer: bytes, at: int) -> None:
    (code,) = struct.unpack_from(">h", answer, at)
    if code:
        raise BrokerRefusedError(f"error code {code}")


def _count(elements: Sequence[object] | Mapping[int, object] | bytes) -> bytes:
    """Write the length field of the newer form, which has one byte up to 126."""
    return bytes((len(elements) + 1,))
