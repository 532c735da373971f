"""Where records go when the output topic has another number of partitions than the input topic."""

from collections import Counter
from itertools import chain

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.pipeline.lasting import lasting_topic
from tests.process import RUNNING, Pipelines

INPUT, OUTPUT = 3, 5
KEYS = [
    b"",
    b"0",
    b"12345678",
    "schl\u00fcssel".encode(),
    b"\xff\x00\x80",
    *(b"key-%d" % number for number in range(40)),
]
SENT = [
    Record(key, b'{"n": %d, "device_type": "ios"}' % turn, partition=number % INPUT)
    for turn in range(10)
    for number, key in enumerate(KEYS)
]
BURSTS = [
    [
        Record(None, b'{"n": %d, "device_type": "ios"}' % (turn * 50 + number), partition=number % INPUT)
        for number in range(50)
    ]
    for turn in range(20)
]
"""Records without a key: librdkafka draws a partition for all that come within ten milliseconds."""


@pytest.fixture(scope="module")
def run(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], str]:
    """What a pipeline wrote, and what it logged."""
    source, target = lasting_topic(kafka, "three", INPUT), lasting_topic(kafka, "five", OUTPUT)
    with Pipelines(kafka.address, tmp_path_factory.mktemp("partitions")) as pipelines:
        pipeline = pipelines.start(source, target)
        pipeline.wait_for(RUNNING)
        kafka.produce(source, SENT)
        for number, burst in enumerate(BURSTS, 1):
            kafka.produce(source, burst)
            read = kafka.read(target, len(SENT) + number * len(burst))
        assert pipeline.stop() == 0
    return read, pipeline.log


def test_warning(run: tuple[list[Record], str]) -> None:
    """One warning at start names both topics, both counts and what happens instead."""
    lines = [line for line in run[1].splitlines() if "WARNING" in line and "partitions" in line]
    assert len(lines) == 1
    assert f"three has {INPUT} partitions, five has {OUTPUT}" in lines[0]
    assert "murmur2_random" in lines[0]


def test_each_once(run: tuple[list[Record], str]) -> None:
    """Every record is there once."""
    wanted = Counter((record.key, record.value) for record in map(expected, [*SENT, *chain(*BURSTS)]))
    assert Counter((record.key, record.value) for record in run[0]) == wanted


@pytest.mark.parametrize("key", KEYS)
def test_equal_keys(run: tuple[list[Record], str], key: bytes) -> None:
    """Records with equal keys are in the order in which they came, on the partition that murmur2 gives to the key."""
    records = [record for record in run[0] if record.key == key]

    assert [record.value for record in records] == [expected(record).value for record in SENT if record.key == key]
    assert {record.partition for record in records} == {(murmur2(key) & 0x7FFFFFFF) % OUTPUT}


def test_null_keys(run: tuple[list[Record], str]) -> None:
    """Records without a key don't pile up on one partition."""
    shares = Counter(record.partition for record in run[0] if record.key is None)

    assert shares.total() == sum(map(len, BURSTS))
    assert len(shares) >= 3, shares


@pytest.mark.parametrize(
    ("key", "digest"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)]
)
def test_murmur2(key: bytes, digest: int) -> None:
    """The hash that these tests expect is Kafka's own, as its published test vectors have it."""
    assert murmur2(key) == digest & 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Kafka's hash of a key, without a sign."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    digest = (0x9747B28C ^ len(key)) & mask
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(key[at : at + 4], "little") * factor & mask
        digest = (digest * factor & mask) ^ ((word ^ word >> 24) * factor & mask)
    if rest := key[whole:]:
        digest = (digest ^ int.from_bytes(rest, "little")) * factor & mask
    digest = (digest ^ digest >> 13) * factor & mask
    return digest ^ digest >> 15
