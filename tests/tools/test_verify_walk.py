"""Which records the walks read and where they begin, on two topics that a stand-in holds in memory; without Kafka."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

import pytest
from confluent_kafka import Message

from runtime.settings import Settings
from runtime.stopping import stop_request
from runtime.topics import TopicFacts
from tools.verify import keys, keys_walk
from tools.verify.findings import total
from tools.verify.gap import Record
from tools.verify.keys import target_of
from tools.verify.keys_walk import KeyWalk
from tools.verify.topics import Reader, Topics
from tools.verify.walk import EVERYTHING, Begin, PartitionWalk, Walk

BATCH = 7


class InMemory(NamedTuple):
    """A record at its offset, in the place of confluent-kafka's Message."""

    place: int
    record: Record

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes | None:
        return self.record.key

    def value(self) -> bytes | None:
        return self.record.value

    def timestamp(self) -> tuple[int, int]:
        return 1, self.record.timestamp or 0

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.record.headers) if self.record.headers else None


class Partition(NamedTuple):
    """The records that one partition still has, and the offset of the first one."""

    begin: int
    records: list[InMemory]

    @property
    def end(self) -> int:
        return self.begin + len(self.records)


class Held(Topics):
    """Two topics and how to read them, without a broker."""

    def __init__(self, source: list[Partition], target: list[Partition]) -> None:
        config = {"max.message.bytes": "1000000"}
        self.source, self.target = TopicFacts("in", len(source), config), TopicFacts("out", len(target), config)
        self.held = {"in": source, "out": target}

    def reader(self, facts: TopicFacts) -> Reader:
        return HeldReader(self.held[facts.name])

    def partitions(self, facts: TopicFacts) -> int:
        return facts.partitions

    def begins(self, facts: TopicFacts, partitions: Iterable[int]) -> dict[int, int]:
        return {number: self.held[facts.name][number].begin for number in partitions}

    def ends(self, facts: TopicFacts, partitions: Iterable[int]) -> dict[int, int]:
        return {number: self.held[facts.name][number].end for number in partitions}

    def from_time(self, facts: TopicFacts, partition: int, timestamp: int) -> int | None:
        records = self.held[facts.name][partition].records
        return next((one.offset() for one in records if one.timestamp()[1] >= timestamp), None)


class HeldReader(Reader):
    """Reads one of them, some records at a time."""

    def __init__(self, held: list[Partition]) -> None:
        self.held = held
        self.done, self.at = True, 0

    def begin(self, partition: int, begin: int, end: int) -> None:
        self.partition, self.at, self.end, self.done = self.held[partition], begin, end, begin >= end

    def read(self) -> list[Message]:
        first = self.at - self.partition.begin
        self.at = min(self.at + BATCH, self.end)
        self.done = self.at >= self.end
        return cast("list[Message]", self.partition.records[first : self.at - self.partition.begin])

    def close(self) -> None:
        pass


COUNT = 400


def login(number: int) -> Record:
    """One of its own, that the map leaves as it is; every fourth without a key."""
    key = b"k%d" % (number % 20) if number % 4 else None
    return Record(key, b'{"n": %d, "device_type": "IOS"}' % number, 1_000 + number, None)


def tombstone(number: int) -> Record:
    """One of ten that are equal, in one of two partitions."""
    return Record(b"k%d" % (number % 2), None, 1_000 + number // 20, None)


Make = Callable[[int], Record]


def inputs(gone: tuple[int, ...], make: Make = login) -> list[Partition]:
    """Records in turn in these partitions, of each of which so many are gone."""
    partitions = [[make(number) for number in range(at, COUNT, len(gone))] for at in range(len(gone))]
    return _cut(partitions, gone)


def outputs(gone: tuple[int, ...], sources: int, make: Make = login, first: int = 0) -> list[Partition]:
    """What is made of them from this one on, in as many partitions as the inputs or where each key belongs."""
    places: list[list[Record]] = [[] for _ in gone]
    for number in range(first, COUNT):
        record = make(number)
        tagged = record if record.value else record._replace(headers=(("malformed", b"null_value"),))
        hashed = number // 3 % len(gone) if record.key is None else target_of(record.key, len(gone))
        places[number % sources if sources == len(gone) else hashed].append(tagged)
    return _cut(places, gone)


def _cut(partitions: list[list[Record]], gone: tuple[int, ...]) -> list[Partition]:
    return [
        Partition(first, [InMemory(at, one) for at, one in enumerate(records)][first:])
        for records, first in zip(partitions, gone, strict=True)
    ]


def doctor(target: list[Partition], number: int, *, wrong: bool) -> None:
    """Change the output of this login, or else lose it."""
    for _, records in target:
        for at, (place, record) in enumerate(records):
            if record == login(number):
                records[at : at + 1] = [InMemory(place, record._replace(value=b"?"))] if wrong else []


def walk(
    source: list[Partition], target: list[Partition], begin: Begin = EVERYTHING, offset_reset: str = "earliest"
) -> Walk:
    """The audit of these, that follows."""
    kind = PartitionWalk if len(source) == len(target) else KeyWalk
    return kind(Held(source, target), Settings.model_validate({"AUTO_OFFSET_RESET": offset_reset}), begin, follow=True)


def found(one: Walk) -> tuple[dict[str, int], bool]:
    """What an audit comes to in the end, and whether it is right."""
    one.step(lambda _: None, final=True)
    findings = one.findings()
    return {name: count for name, count in total(findings).items() if count}, all(each.ok for each in findings.values())


ONE_TO_ONE, BY_KEY = (0, 0), (0, 0, 0, 0, 0)
"""No record gone of as many output partitions."""

BEGINS: dict[str, tuple[tuple[int, ...], Begin]] = {
    "expired": ((150, 150), EVERYTHING),
    "the last": ((0, 0), Begin(last=50)),
    "from a timestamp": ((0, 0), Begin(timestamp=1_300)),
}


@pytest.mark.parametrize("kept", [ONE_TO_ONE, BY_KEY])
@pytest.mark.parametrize("name", BEGINS)
def test_stopped_at_once(monkeypatch: pytest.MonkeyPatch, name: str, kept: tuple[int, ...]) -> None:
    """Asked to stop before it has read anything, one that follows judges what is there all the same."""
    gone, begin = BEGINS[name]
    monkeypatch.setattr(stop_request, "requested", True)
    right = outputs(kept, 2)
    assert found(walk(inputs(gone), right, begin)) == ({"checked": 100}, True)
    doctor(right, 350, wrong=True)
    assert found(walk(inputs(gone), right, begin)) == ({"checked": 99, "wrong": 1}, False)


@pytest.mark.parametrize(
    ("gone", "left", "ok"),
    [((200, 200), (200, 200), True), ((200, 0), (200, 0), True), ((200, 200), (200, 199), False)],
)
def test_all_expired(gone: tuple[int, ...], left: tuple[int, ...], *, ok: bool) -> None:
    """A partition of which nothing is left on either side is right; outputs without any input can't be aligned."""
    assert found(walk(inputs(gone), outputs(left, 2)))[1] is ok


class Missing(NamedTuple):
    """How many first records of the input and the output are gone, how many were there before, and what is left."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    before: int
    skipped: int
    checked: int


MISSING = {
    "outputs": Missing((0, 0), (10, 50, 0, 30, 20), 0, 110, 290),
    "outputs of one partition": Missing((0, 0), (0, 50, 0, 0, 0), 0, 50, 350),
    "those before it began": Missing((0, 0), BY_KEY, 150, 150, 250),
    "inputs": Missing((30, 100), BY_KEY, 0, 70, 270),
    "inputs and outputs": Missing((60, 60), (40, 40, 40, 40, 40), 0, 80, 200),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing(name: str) -> None:
    """With other partition counts, records are skipped whose output or input is gone or of before the pipeline began.

    What is lost after those is lost.
    """
    there = MISSING[name]
    reset = "latest" if there.before else "earliest"
    target = outputs(there.outputs, 2, first=there.before)
    assert found(walk(inputs(there.inputs), target, offset_reset=reset)) == (
        {"checked": there.checked, "skipped": there.skipped},
        True,
    )
    doctor(target, 350, wrong=False)
    assert found(walk(inputs(there.inputs), target, offset_reset=reset)) == (
        {"checked": there.checked - 1, "lost": 1, "skipped": there.skipped},
        False,
    )


@pytest.mark.parametrize("name", MISSING)
def test_missing_equal(name: str) -> None:
    """Equal records on both sides of the place at which all begins are no fault."""
    there = MISSING[name]
    reset = "latest" if there.before else "earliest"
    target = outputs(there.outputs, 2, tombstone, there.before)
    assert found(walk(inputs(there.inputs, tombstone), target, offset_reset=reset))[1]


def test_missing_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """More inputs may lack their outputs than may wait: the input is read on until the first output's."""
    monkeypatch.setattr(keys, "OPEN", 200)
    monkeypatch.setattr(keys_walk, "_CHUNK", BATCH)
    target = outputs(BY_KEY, 2, first=300)
    assert found(walk(inputs((0, 0)), target, offset_reset="latest")) == ({"checked": 100, "skipped": 300}, True)
