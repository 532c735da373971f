"""Requests and responses are read in both forms of Kafka's wire format."""

import struct
from typing import NamedTuple

import pytest

from faults.wire import ADD_OFFSETS, ADD_PARTITIONS, END_TXN, PRODUCE, TXN_OFFSET_COMMIT, error_of, parse_request

NAME = b"group:worker"
THROTTLE = bytes(4)
PLAIN_TOPIC = struct.pack(">ih", 1, 3) + b"abc" + struct.pack(">ii", 1, 7)
FLEXIBLE_TOPIC = b"\x02\x04abc\x02" + struct.pack(">i", 7)


class Case(NamedTuple):
    """A request's API key, version and form, and what is between its answer's correlation id and the error code."""

    key: int
    version: int
    before_error: bytes
    flexible: bool = False


CASES = [
    Case(END_TXN, 1, THROTTLE),
    Case(END_TXN, 3, b"\0" + THROTTLE, flexible=True),
    Case(ADD_OFFSETS, 0, THROTTLE),
    Case(ADD_PARTITIONS, 0, THROTTLE + PLAIN_TOPIC),
    Case(ADD_PARTITIONS, 3, b"\0" + THROTTLE + FLEXIBLE_TOPIC, flexible=True),
    Case(TXN_OFFSET_COMMIT, 3, b"\0" + THROTTLE + FLEXIBLE_TOPIC, flexible=True),
    Case(PRODUCE, 7, PLAIN_TOPIC),
    Case(PRODUCE, 10, b"\0" + FLEXIBLE_TOPIC, flexible=True),
]


def request(case: Case) -> bytes:
    """A request with a client id, whose body begins with the transactional id."""
    name = b"\0" + bytes([len(NAME) + 1]) + NAME if case.flexible else struct.pack(">h", len(NAME)) + NAME
    header = struct.pack(">hhih", case.key, case.version, 99, 7) + b"rdkafka"
    return struct.pack(">i", len(header + name)) + header + name


@pytest.mark.parametrize("case", CASES)
def test_request_and_answer(case: Case) -> None:
    """The transactional id and the error code are read from each request, in each version."""
    parsed = parse_request(request(case))
    assert (parsed.key, parsed.version, parsed.correlation, parsed.transaction) == (case.key, case.version, 99, NAME)
    answer = bytes(4) + struct.pack(">i", 99) + case.before_error + struct.pack(">h", 47) + bytes(20)
    assert error_of(parsed, answer) == 47
