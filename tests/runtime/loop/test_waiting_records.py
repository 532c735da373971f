"""Records that wait: their order, the partitions' turns, and their size."""

from typing import Any, cast

from confluent_kafka import Message

from runtime.loop.waiting_records import WaitingRecords


class FakeMessage:
    """A record of two bytes."""

    def __init__(self, partition: int, offset: int) -> None:
        self._partition = partition
        self.offset = offset

    def partition(self) -> int:
        return self._partition

    def __len__(self) -> int:
        return 2


def records(*places: tuple[int, int]) -> list[Message]:
    """Records by partition and offset."""
    return [cast("Any", FakeMessage(*place)) for place in places]


def places(messages: list[Message]) -> list[tuple[int, int]]:
    """The partition and offset of each."""
    return [(message.partition(), cast("Any", message).offset) for message in messages]


def waiting(*added: tuple[int, int]) -> WaitingRecords:
    """Records that wait."""
    tested = WaitingRecords()
    tested.add(records(*added))
    return tested


def test_order() -> None:
    """Each partition's records stay in order, and all of them are given once."""
    added = [(partition, offset) for offset in range(5) for partition in range(3)]
    tested = waiting(*added)
    taken = []
    while tested:
        taken += places(tested.take(4))
    assert sorted(taken, key=lambda place: place[0]) == sorted(added)
    assert sorted(taken) == sorted(added)


def test_turns() -> None:
    """Partitions get equal shares. Those that were first are last the next time."""
    tested = waiting(*((partition, offset) for partition in range(3) for offset in range(2)))
    assert places(tested.take(2)) == [(0, 0), (1, 0)]
    assert places(tested.take(2)) == [(2, 0), (0, 1)]


def test_at_least_one() -> None:
    """With more partitions than records to take, it still takes as many as asked for."""
    tested = waiting(*((partition, 0) for partition in range(9)))
    assert len(tested.take(3)) == 3


def test_put_back() -> None:
    """Records that are put back come before the others of their partition, in their order."""
    tested = waiting((0, 2))
    tested.put_back(records((0, 0), (0, 1)))
    assert places(tested.take(9)) == [(0, 0), (0, 1), (0, 2)]


def test_bytes() -> None:
    """The size of the waiting values is known after each step."""
    tested = waiting((0, 0), (1, 0), (1, 1))
    sizes = [tested.bytes]
    taken = tested.take(2)
    sizes.append(tested.bytes)
    tested.put_back(taken)
    sizes.append(tested.bytes)
    tested.clear()
    assert [*sizes, tested.bytes] == [6, 2, 6, 0]
    assert not tested
