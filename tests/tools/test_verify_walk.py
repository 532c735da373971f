"""Which records the walks read and where they begin, on two topics that a stand-in holds in memory; without Kafka."""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import Message

from runtime.settings import Settings
from runtime.stopping import stop_request
from runtime.topics import TopicFacts
from tools.verify.findings import total
from tools.verify.keys import target_of
from tools.verify.keys_walk import KeyWalk
from tools.verify.topics import Reader, Topics
from tools.verify.walk import EVERYTHING, Begin, PartitionWalk, Walk

BATCH = 7


class InMemory(NamedTuple):
    """A record, in the place of confluent-kafka's Message."""

    number: int
    place: int
    content: bytes | None

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes:
        return b"k%d" % (self.number % 20)

    def value(self) -> bytes | None:
        return self.content

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000 + self.number

    def headers(self) -> None:
        return None


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


def login(number: int) -> bytes:
    """A login that the map leaves as it is."""
    return b'{"n": %d, "device_type": "IOS"}' % number


def inputs(gone: tuple[int, ...], count: int = COUNT) -> list[Partition]:
    """Logins in turn in these partitions, of each of which so many are gone."""
    return _cut([[number for number in range(count) if number % len(gone) == at] for at in range(len(gone))], gone)


def outputs(gone: tuple[int, ...], sources: int, count: int = COUNT) -> list[Partition]:
    """What is made of them, in partitions of the same number as the inputs' or where each key belongs."""
    places: list[list[int]] = [[] for _ in gone]
    for number in range(count):
        place = number % sources if sources == len(gone) else target_of(InMemory(number, 0, None).key(), len(gone))
        places[place].append(number)
    return _cut(places, gone)


def _cut(numbers: list[list[int]], gone: tuple[int, ...]) -> list[Partition]:
    records = [[InMemory(one, at, login(one)) for at, one in enumerate(each)] for each in numbers]
    return [Partition(first, each[first:]) for first, each in zip(gone, records, strict=True)]


def walk(source: list[Partition], target: list[Partition], begin: Begin = EVERYTHING, **settings: Any) -> Walk:
    """The audit of these, that follows."""
    topics = Held(source, target)
    if len(source) == len(target):
        return PartitionWalk(topics, Settings.model_validate(settings), begin, follow=True)
    return KeyWalk(topics, begin, follow=True)


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
    right[1].records[-3] = right[1].records[-3]._replace(content=b"?")
    assert found(walk(inputs(gone), right, begin)) == ({"checked": 99, "wrong": 1}, False)


@pytest.mark.parametrize(
    ("gone", "left", "ok"),
    [((200, 200), (200, 200), True), ((200, 0), (200, 0), True), ((200, 200), (200, 199), False)],
)
def test_all_expired(gone: tuple[int, ...], left: tuple[int, ...], *, ok: bool) -> None:
    """A partition of which nothing is left on either side is right; outputs without any input can't be aligned."""
    assert found(walk(inputs(gone), outputs(left, 2)))[1] is ok
