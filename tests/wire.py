"""Requests that tests send to a broker in Kafka's own wire format."""

import struct
from collections.abc import Sequence

from tools.broker.protocol import RawRecord, ask, read_varint, record_batch, string

_PRODUCE, _LEAVE_GROUP, _LIST_TRANSACTIONS = 0, 13, 66
_TIMEOUT = 10_000  # milliseconds


def produce(address: str, topic: str, records: Sequence[RawRecord], timestamp: int, partition: int = 0) -> None:
    """Write the records, as one batch, to a partition; AssertionError if the broker refuses them."""
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
