"""Records that only clients in other languages send: header names that are not UTF-8, and unusual timestamps."""

import time

import pytest

from tests import wire
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines
from tools.broker.protocol import RawRecord

BEFORE = int(time.time() * 1000)
LOGIN, MAPPED = b'{"device_type": "ios"}', b'{"device_type": "IOS"}'
USUAL = 300
"""Ordinary records before each unusual one, because the interpreter optimizes code that runs often."""

NAMES = {
    "one": ([b"a", b"x\xff\xfey", b"b"], ["a", r"x\xff\xfey", "b"]),
    "two": ([b"\xff", b"a", b"n\xc3\xa4me\xc3"], [r"\xff", "a", "n\u00e4me\\xc3"]),
    "three alike": ([b"\xe9", b"\xe9", b"\xe9"], [r"\xe9", r"\xe9", r"\xe9"]),
    "a surrogate": ([b"\xed\xa0\x80"], [r"\xed\xa0\x80"]),
    "a forged tag": ([b"malformed", b"malformed\xff", b"malformed"], [r"malformed\xff"]),
    "a NUL byte": ([b"a\x00b", b"c"], ["a", "c"]),
    "none": ([], []),
}
CASES = [(value, *names) for names in NAMES.values() for value in (LOGIN, b"[", None)]
TIMESTAMPS = {0: None, -1: -1, 1: 1}
"""Timestamps sent and timestamps kept. None is the time at which the record is processed."""


@pytest.fixture(scope="module")
def read(kafka: Kafka, shared_pipelines: Pipelines) -> list[Record]:
    """A pipeline's output for the unusual records, without the ordinary ones before each."""
    source, target = kafka.create_topic("raw-in"), kafka.create_topic("raw-out")
    usual = [RawRecord(b"k", LOGIN, [(b"a", b"1")])] * USUAL
    for value, names, _ in CASES:
        odd = RawRecord(b"k", value, [(name, b"%d" % number) for number, name in enumerate(names)])
        wire.produce(kafka.address, source, [*usual, odd], timestamp=1)
    for timestamp in TIMESTAMPS:
        wire.produce(kafka.address, source, [*usual, RawRecord(b"k", LOGIN)], timestamp)
    pipeline = shared_pipelines.start(source, target)
    pipeline.wait_for(RUNNING)
    count = len(CASES) + len(TIMESTAMPS)
    records = kafka.read(target, count * (USUAL + 1))
    assert len(records) == count * (USUAL + 1)
    assert pipeline.stop() == 0
    return records[USUAL :: USUAL + 1]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_header_names(read: list[Record], number: int) -> None:
    r"""Invalid bytes in a header name become \xNN. All headers stay, and the pipeline continues."""
    value, sent, names = CASES[number]
    kept = [b"%d" % place for place, name in enumerate(sent) if name != b"malformed"]
    headers: list[tuple[str, bytes | None]] = list(zip(names, kept, strict=True))

    assert read[number] == expected(Record(b"k", value, headers, timestamp=1))


@pytest.mark.parametrize("number", range(len(TIMESTAMPS)), ids=map(str, TIMESTAMPS))
def test_timestamps(read: list[Record], number: int) -> None:
    """A timestamp of 0 becomes the time at which the record is processed. Any other is kept, even -1, "none"."""
    kept = list(TIMESTAMPS.values())[number]
    record = read[len(CASES) + number]

    assert record.value == MAPPED
    if kept is None:
        assert BEFORE <= record.timestamp <= time.time() * 1000
    else:
        assert record.timestamp == kept
