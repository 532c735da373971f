"""The offsets where partitions are read from, with a fake consumer. The tests with Kafka are in tests/pipeline."""

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)

from runtime.connect.topic_ids import TopicIds
from runtime.errors import Misconfigured
from runtime.loop.positions import Positions

FIRST, END = 100, 200
"""The offsets that the broker has records of."""


class FakeConsumer:
    """Knows what is committed: the offset and its metadata, by partition."""

    def __init__(self, committed: Mapping[int, tuple[int, str | None]], error: int | None = None) -> None:
        self.told = committed
        self.error = error
        self.assigned: dict[int, int] = {}

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Any]:
        assert timeout > 0
        return [Committed(place.partition, *self.told[place.partition], self.error) for place in partitions]

    def get_watermark_offsets(self, _place: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        return FIRST, END

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = {place.partition: place.offset for place in partitions}


class FakeAdmin:
    """The topic is what it was."""

    def describe_topics(self, topics: TopicCollection, request_timeout: float) -> dict[str, Future[Any]]:
        assert request_timeout > 0
        answer: Future[Any] = Future()
        answer.set_result(SimpleNamespace(topic_id="new"))
        return dict.fromkeys(topics.topic_names, answer)


class Committed:
    """What a consumer says of a committed offset."""

    topic = "in"

    def __init__(self, partition: int, offset: int, metadata: str | None, error: int | None) -> None:
        self.partition = partition
        self.offset = offset
        self.metadata = metadata
        self.error = None if error is None else KafkaError(error)


def positions(consumer: FakeConsumer, reset: str = "earliest") -> Positions:
    """Positions for a topic with the id `new`."""
    tested = Positions(cast("Any", consumer), reset)
    tested.topic_ids = TopicIds(cast("Any", FakeAdmin()), {"in": "new"}, str)
    return tested


def assign(tested: Positions, *partitions: int) -> dict[int, int]:
    """Assign partitions, and give the offsets at which they begin."""
    places = [TopicPartition("in", partition) for partition in partitions]
    tested.assign(places)
    return {place.partition: place.offset for place in places}


@pytest.mark.parametrize(
    ("committed", "reset", "begins"),
    [
        ((7, "topic-id:new"), "latest", 7),
        ((7, None), "error", 7),
        ((7, "anything"), "earliest", 7),
        ((OFFSET_INVALID, None), "earliest", OFFSET_BEGINNING),
        ((OFFSET_INVALID, None), "latest", END),
    ],
)
def test_begin(lines: list[str], committed: tuple[int, str | None], reset: str, begins: int) -> None:
    """A partition begins at its committed offset. AUTO_OFFSET_RESET decides only if there is none."""
    assert assign(positions(FakeConsumer({0: committed, 1: (5, None)}), reset), 0, 1) == {0: begins, 1: 5}
    assert lines == []


def test_begin_error() -> None:
    """With `error`, a partition without a committed offset ends in 78 and is named."""
    with pytest.raises(Misconfigured, match=r"no offset for in\[3\], and AUTO_OFFSET_RESET is error"):
        assign(positions(FakeConsumer({3: (OFFSET_INVALID, None)}), "error"), 3)


@pytest.mark.parametrize(
    ("told", "are_committed"),
    [
        ({0: (9, "topic-id:new"), 1: (5, None)}, True),
        ({0: (10, "topic-id:new"), 1: (5, None)}, True),
        ({0: (8, "topic-id:new"), 1: (5, None)}, False),
        ({0: (9, "topic-id:new"), 1: (4, None)}, False),
        ({0: (9, "topic-id:old"), 1: (5, None)}, False),
        ({0: (OFFSET_INVALID, None), 1: (OFFSET_INVALID, None)}, False),
    ],
)
def test_are_committed(told: dict[int, tuple[int, str | None]], *, are_committed: bool) -> None:
    """Records are committed if the group's offsets come after all of them, also while partitions are revoked."""
    consumer = FakeConsumer({0: (7, None), 1: (3, None), 2: (3, None)})
    tested = positions(consumer)
    assign(tested, 0, 1, 2)
    tested.handle("in", 0, 9)
    tested.handle("in", 1, 5)
    consumer.told = told
    assert tested.are_committed() is are_committed
    tested.revoke()
    assert tested.are_committed() is are_committed


def test_group_does_not_answer() -> None:
    """If the group does not give its offsets, that is an error."""
    consumer = FakeConsumer({0: (7, None)})
    tested = positions(consumer)
    assign(tested, 0)
    tested.handle("in", 0, 9)
    consumer.error = KafkaError._TIMED_OUT
    with pytest.raises(KafkaException):
        tested.are_committed()


@pytest.mark.parametrize("reset", ["earliest", "latest", "error"])
def test_another_topic(lines: list[str], reset: str) -> None:
    """An offset of a deleted topic of the same name is ignored: the new topic is read from its beginning."""
    assert assign(positions(FakeConsumer({2: (7, "topic-id:old")}), reset), 2) == {2: OFFSET_BEGINNING}
    (line,) = lines
    for text in ("WARNING", "offset 7 of in[2]", "deleted topic", "from its beginning"):
        assert text in line


def test_no_committed_offsets() -> None:
    """If the broker does not give the committed offsets, no partition begins."""
    with pytest.raises(KafkaException):
        assign(positions(FakeConsumer({0: (7, None)}, KafkaError.GROUP_AUTHORIZATION_FAILED)), 0)


def test_read_again() -> None:
    """What was handled since the last commit is read again, of the partitions that are still assigned."""
    consumer = FakeConsumer({0: (10, None), 1: (20, None)})
    tested = positions(consumer)
    assign(tested, 0, 1)
    tested.handle("in", 0, 15)
    tested.commit()
    tested.handle("in", 0, 17)
    tested.handle("in", 1, 25)
    tested.read_again()
    assert consumer.assigned == {0: 15, 1: 20}

    tested.commit()
    assert str(tested) == "in[0]@15, in[1]@20"
    tested.revoke()
    consumer.assigned = {}
    tested.read_again()
    assert consumer.assigned == {}


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_expired(lines: list[str], reset: str) -> None:
    """After an expired offset, reading continues at the earliest record, with a warning of the unread ones."""
    consumer = FakeConsumer({0: (40, None), 1: (150, None)})
    tested = positions(consumer, reset)
    assign(tested, 0, 1)
    tested.out_of_range("in", 0)
    tested.read_again()
    assert consumer.assigned == {0: FIRST, 1: 150}
    (line,) = lines
    for text in ("WARNING", "60 records of in[0] expired unread", "from offset 40 to 99", "continuing at offset 100"):
        assert text in line


@pytest.mark.parametrize(
    ("offset", "reset", "said"),
    [
        (40, "error", "60 records of in[0] expired unread, from offset 40 to 99, and AUTO_OFFSET_RESET is error"),
        (201, "error", "offset 201 of in[0] is past the end of the topic, 200"),
        (201, "earliest", "offset 201 of in[0] is past the end of the topic, 200"),
        (201, "latest", "offset 201 of in[0] is past the end of the topic, 200"),
    ],
)
def test_refused(offset: int, reset: str, said: str) -> None:
    """An offset past the end ends in 78, as an expired one does with `error`."""
    tested = positions(FakeConsumer({0: (offset, None)}), reset)
    assign(tested, 0)
    with pytest.raises(Misconfigured) as stop:
        tested.out_of_range("in", 0)
    assert said in str(stop.value)
    assert "--reset-offsets" in str(stop.value)


@pytest.mark.parametrize("offset", [FIRST, 150, END])
def test_in_range_again(lines: list[str], offset: int) -> None:
    """An offset that the broker has again stays as it is."""
    consumer = FakeConsumer({0: (offset, None)})
    tested = positions(consumer)
    assign(tested, 0)
    tested.out_of_range("in", 0)
    tested.out_of_range("in", 7)  # not assigned any more
    tested.read_again()
    assert consumer.assigned == {0: offset}
    assert lines == []


def test_handled() -> None:
    """The offset after the last handled record is known for each assigned partition. An abort undoes it."""
    tested = positions(FakeConsumer({0: (110, None), 1: (OFFSET_INVALID, None)}))
    assign(tested, 0, 1)
    begin = {("in", 0): 110, ("in", 1): OFFSET_BEGINNING}
    assert tested.handled() == begin
    tested.handle("in", 0, 115)
    tested.handle("in", 7, 3)  # not assigned any more
    assert tested.handled() == begin | {("in", 0): 115}
    tested.read_again()
    assert tested.handled() == begin
    tested.handle("in", 0, 115)
    tested.commit()
    assert tested.handled() == begin | {("in", 0): 115}
    tested.revoke()
    assert tested.handled() == {}
