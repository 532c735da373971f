"""The check by record id: what of the load came out, how often, in which order, how late; the map's code plays no part.

Numbers rise by one in each partition, so one number and the set of those passed over say what has come.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from faults.records import Sent, is_right, number_of, record

_EXAMPLES = 10


@dataclass
class Counts:
    """How the output compares to the load."""

    checked: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    wrong: int = 0


class Judge(NamedTuple):
    """Knows the records sent by seed, partition and number, and what key, value and tag each must come out with."""

    record: Callable[[int, int, int], Sent]
    is_right: Callable[[Sent, bytes | None, bytes | None, bytes | None], bool]


LOGINS = Judge(record, is_right)


@dataclass
class _Partition:
    next: int = 0
    passed_over: set[int] = field(default_factory=set)
    arrived: float = 0.0


@dataclass
class _Fault:
    """A fault, and the partitions from which nothing written after it has come yet."""

    time: float
    waiting: set[int]


class IdCheck:
    """Takes the output topic's records as a read_committed reader sees them.

    Args:
        seed: the load's.
        partitions: of the output topic.
    """

    def __init__(self, seed: int, partitions: Iterable[int]) -> None:
        self.counts = Counts()
        self.examples: list[str] = []
        self.judge = LOGINS
        """Says what was sent and whether the output is right."""
        self.longest_stall = 0.0
        self.resumed: list[float] = []
        """Seconds from each fault until every partition gave a record that was written after it."""
        self._seed = seed
        self._partitions = {number: _Partition() for number in partitions}
        self._faults: list[_Fault] = []
        self._marks: list[float] = []
        self.unexplained = 0
        """Duplicates of records that no fault came between: written after the last one, or back before it."""

    def add_partition(self, number: int) -> None:
        """Expect records of a partition that is new."""
        self._partitions[number] = _Partition()

    def mark(self, now: float) -> None:
        """Note a fault (or its end, where that is what to resume from); seconds since the epoch, never going back."""
        self._faults.append(_Fault(now, set(self._partitions)))
        self._marks.append(now)

    def take(
        self, partition: int, key: bytes | None, value: bytes | None, tag: bytes | None, times: tuple[float, float]
    ) -> None:
        """Take the next record of a partition; `times` are those of its writing and its arrival."""
        written, arrived = times
        state = self._partitions[partition]
        if state.arrived:
            self.longest_stall = max(self.longest_stall, arrived - state.arrived)
        state.arrived = arrived
        if self._faults:
            self._resume(partition, written, arrived)
        number = number_of(partition, key, value)
        if number is None:
            self._bad("wrong", partition, f"no id in key {key!r}")
            return
        sent = self.judge.record(self._seed, partition, number)
        if not self.judge.is_right(sent, key, value, tag):
            self._bad("wrong", partition, f"number {number}")
        before = self.counts.duplicated
        self._place(state, partition, number)
        if self.counts.duplicated > before and bisect_left(self._marks, written) == bisect_right(self._marks, arrived):
            self.unexplained += 1

    def final_counts(self, sent: Mapping[int, int]) -> Counts:
        """Give the counts when all has been read: what was sent and has not come is lost."""
        lost = 0
        for partition, total in sent.items():
            state = self._partitions[partition]
            lost += len(state.passed_over) + max(0, total - state.next)
            if state.passed_over:
                self.examples.append(f"lost: partition {partition} numbers {sorted(state.passed_over)[:3]}")
        self.counts.lost = lost
        return self.counts

    def forget_before(self, numbers: Mapping[int, int]) -> None:
        """Take no record before these numbers for lost, by partition: the input that held them was deleted."""
        for partition, first in numbers.items():
            state = self._partitions[partition]
            state.passed_over = {number for number in state.passed_over if number >= first}

    def waiting_for(self, sent: Mapping[int, int]) -> int:
        """How many of the records sent lie behind the last one that came."""
        return sum(max(0, total - self._partitions[partition].next) for partition, total in sent.items())

    @property
    def open_faults(self) -> int:
        """Faults after which some partition has not given a new record yet."""
        return len(self._faults)

    @property
    def progress(self) -> dict[int, int]:
        """By partition, the number after the highest that came."""
        return {number: state.next for number, state in self._partitions.items()}

    def _place(self, state: _Partition, partition: int, number: int) -> None:
        if number >= state.next:
            if number > state.next:
                state.passed_over.update(range(state.next, number))
            state.next = number + 1
            self.counts.checked += 1
        elif number in state.passed_over:
            state.passed_over.remove(number)
            self.counts.checked += 1
            self._bad("reordered", partition, f"number {number} after {state.next - 1}")
        else:
            self._bad("duplicated", partition, f"number {number} again, after {state.next - 1}")

    def _resume(self, partition: int, written: float, arrived: float) -> None:
        for fault in self._faults:
            if written >= fault.time:
                fault.waiting.discard(partition)
                if not fault.waiting:
                    self.resumed.append(arrived - fault.time)
        self._faults = [fault for fault in self._faults if fault.waiting]

    def _bad(self, what: str, partition: int, detail: str) -> None:
        setattr(self.counts, what, getattr(self.counts, what) + 1)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{what}: partition {partition} {detail}")


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 1000) // 1000) - 1)] if ordered else 0.0
