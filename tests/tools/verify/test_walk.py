"""Which records the walk reads and where it begins, on two topics in memory, without Kafka."""

from collections.abc import Iterable
from typing import NamedTuple, cast

import pytest
from confluent_kafka import Message

from runtime.connect.topic_facts import TopicFacts
from runtime.settings import Settings
from tools.verify.findings import total
from tools.verify.gap import Record
from tools.verify.range import EVERYTHING, Begin
from tools.verify.reader import PartitionReader
from tools.verify.topics import TopicPair
from tools.verify.walk import Walk

BATCH = 7


class InMemory(NamedTuple):
    """A record at its offset, in the place of confluent-kafka's Message."""

    place: int
    record: Record

    def topic(self) -> str:
        return "in"

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


class Held(TopicPair):
    """Two topics and how to read them, without a broker."""

    def __init__(self, source: list[Partition], target: list[Partition], **limits: int) -> None:
        config = {"max.message.bytes": "1000000"} | {name.replace("_", "."): str(one) for name, one in limits.items()}
        self.source, self.target = TopicFacts("in", len(source), config), TopicFacts("out", len(target), config)
        self.held = {"in": source, "out": target}

    def reader(self, facts: TopicFacts) -> PartitionReader:
        return HeldReader(self, facts.name)

    def on_read(self) -> None:
        """Called before each read."""

    def partitions(self, facts: TopicFacts) -> int:
        return len(self.held[facts.name])

    def begins(self, facts: TopicFacts, partitions: Iterable[int]) -> dict[int, int]:
        return {number: self.held[facts.name][number].begin for number in partitions}

    def ends(self, facts: TopicFacts, partitions: Iterable[int]) -> dict[int, int]:
        return {number: self.held[facts.name][number].end for number in partitions}

    def from_time(self, facts: TopicFacts, partition: int, timestamp: int) -> int | None:
        records = self.held[facts.name][partition].records
        return next((one.offset() for one in records if one.timestamp()[1] >= timestamp), None)


class HeldReader(PartitionReader):
    """Reads one of them, some records at a time."""

    def __init__(self, topics: Held, topic: str) -> None:
        self.topics, self.topic = topics, topic
        self.done, self.at = True, 0

    def begin(self, partition: int, begin: int, end: int) -> None:
        self.at, self.end, self.done, self.deleted = begin, end, begin >= end, False
        self.number = partition

    def read(self) -> list[Message]:
        self.topics.on_read()
        begin, records = self.topics.held[self.topic][self.number]
        first = self.at - begin
        self.deleted = first < 0
        if self.deleted:
            return []
        self.at = min(self.at + BATCH, self.end)
        self.done = self.at >= self.end
        return cast("list[Message]", records[first : self.at - begin])

    def close(self) -> None:
        pass


COUNT = 400


def login(number: int) -> Record:
    """One of its own, that the map leaves as it is. Every fourth has no key."""
    key = b"k%d" % (number % 20) if number % 4 else None
    return Record(key, b'{"n": %d, "device_type": "IOS"}' % number, 1_000 + number, None)


def topic(gone: tuple[int, ...]) -> list[Partition]:
    """Records in turn in these partitions, whose first ones are missing."""
    partitions = [[login(number) for number in range(at, COUNT, len(gone))] for at in range(len(gone))]
    return _cut(partitions, gone)


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
    source: list[Partition], target: list[Partition], begin: Begin = EVERYTHING, *, must_stop: bool = False
) -> Walk:
    """A walk over these."""
    return Walk(Held(source, target), Settings(), begin, lambda: must_stop)


def found(one: Walk) -> tuple[dict[str, int], bool]:
    """The final counts, and whether they are right."""
    one.step(lambda _: None, final=True)
    findings = one.findings()
    return {name: count for name, count in total(findings).items() if count}, all(each.ok for each in findings.values())


BEGINS: dict[str, tuple[tuple[int, ...], Begin]] = {
    "expired": ((150, 150), EVERYTHING),
    "the last": ((0, 0), Begin(last=50)),
    "from a timestamp": ((0, 0), Begin(timestamp=1_300)),
}


@pytest.mark.parametrize("name", BEGINS)
def test_stopped_at_once(name: str) -> None:
    """A final step judges all records, even if it must stop before it has read anything."""
    gone, begin = BEGINS[name]
    right = topic((0, 0))
    assert found(walk(topic(gone), right, begin, must_stop=True)) == ({"checked": 100}, True)
    doctor(right, 350, wrong=True)
    assert found(walk(topic(gone), right, begin, must_stop=True)) == ({"checked": 99, "wrong": 1}, False)


@pytest.mark.parametrize(
    ("gone", "left", "ok"),
    [((200, 200), (200, 200), True), ((200, 0), (200, 0), True), ((200, 200), (200, 199), False)],
)
def test_all_expired(gone: tuple[int, ...], left: tuple[int, ...], *, ok: bool) -> None:
    """A partition of which nothing is left on either side is right. Outputs without any input cannot be aligned."""
    assert found(walk(topic(gone), topic(left)))[1] is ok


EMPTY = Partition(0, [])


@pytest.mark.parametrize("begin", [EVERYTHING, Begin(last=200), Begin(timestamp=0)])
@pytest.mark.parametrize(
    ("more", "wrong"), [([EMPTY], 0), ([Partition(5, []), EMPTY], 0), ([EMPTY, *topic((0,) * 4)[2:]], 200)]
)
def test_output_has_more_partitions(more: list[Partition], wrong: int, begin: Begin) -> None:
    """Additional output partitions are right if they are empty. Records in one without an input are wrong."""
    counts = {"checked": 400, "wrong": wrong} if wrong else {"checked": 400}
    assert found(walk(topic((0, 0)), [*topic((0, 0)), *more], begin)) == (counts, not wrong)


@pytest.mark.parametrize(
    ("gone", "begin", "left"),
    [
        ((0,) * 4, EVERYTHING, 100),
        ((40,) * 4, EVERYTHING, 60),
        ((0,) * 4, Begin(last=50), 50),
        ((0,) * 4, Begin(timestamp=1_200), 50),
    ],
)
def test_output_lacks_partitions(gone: tuple[int, ...], begin: Begin, left: int) -> None:
    """Inputs of two partitions that the output does not have are pending. They are checked once it has them."""
    right = topic((0,) * 4)
    held = Held(topic(gone), right[:2])
    one = Walk(held, Settings(), begin, lambda: False)
    one.step(lambda _: None, final=False)
    assert total(one.findings())["pending"] == 2 * left
    held.held["out"] = right
    counts = {"checked": 4 * left, "skipped": 2 * (100 - left)}
    assert found(one) == ({name: count for name, count in counts.items() if count}, True)


def test_both_gain_partitions() -> None:
    """Partitions that both topics gain meanwhile are checked, those that the output gains first, too."""
    every = topic((0,) * 4)
    held = Held(every[:2], every[:2])
    one = Walk(held, Settings(), EVERYTHING, lambda: False)
    for sources, targets, checked in ((2, 3, 200), (4, 4, 400)):
        held.held = {"in": every[:sources], "out": [*every[:sources], *[EMPTY] * (targets - sources)]}
        one.step(lambda _: None, final=False)
        assert total(one.findings())["checked"] == checked
    assert found(one) == ({"checked": 400}, True)


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("processed", [0, 3, COUNT // 2])
def test_findings_during_a_step(monkeypatch: pytest.MonkeyPatch, processed: int, *, final: bool) -> None:
    """At each moment of a step, every input counts once: as checked, or as pending."""
    monkeypatch.setattr("tools.verify.walk.WINDOW", 20)  # of the rest, the last step only counts the inputs
    right = topic((0, 0))
    one = walk(right, [Partition(0, records[:processed]) for _, records in right])
    seen = []
    one.step(lambda _: seen.append(total(one.findings())), final=final)
    assert len(seen) > 2
    assert [counts["checked"] + counts["pending"] for counts in seen] == [COUNT] * len(seen)
    assert seen[-1]["checked"] == 2 * processed
