"""The check by id, deliberately a second one that shares no code with tools.verify or the transforms.

Record numbers rise by one in each partition, so the next number and the set of missing ones describe the output.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from faults.records import Sent, is_right, is_right_dead_letter, number_of, record

_EXAMPLES = 10


@dataclass
class Counts:
    """The counts of the output's records."""

    checked: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    wrong: int = 0


class Judge(NamedTuple):
    """Returns the record sent by seed, partition and number, and decides what the topic must have of it."""

    record: Callable[[int, int, int], Sent]
    is_right: Callable[[Sent, bytes | None, bytes | None, bytes | None], bool]
    is_expected: Callable[[Sent], bool] | None = None
    """Whether the topic has anything of it, or None if it has something of each record."""


LOGINS = Judge(record, is_right)
DEAD_LETTERS = Judge(record, is_right_dead_letter, lambda sent: sent.reason is not None)


@dataclass
class _Partition:
    next: int = 0
    missing: set[int] = field(default_factory=set)
    arrived: float = 0.0


@dataclass
class _Fault:
    """A fault, and the partitions without output that was written after it."""

    time: float
    waiting: set[int]


class IdCheck:
    """Checks the output topic's records, as a read_committed reader gets them.

    Args:
        seed: the load's.
        partitions: of the topic.
        judge: knows what was sent and whether what the topic has of it is right.
    """

    def __init__(self, seed: int, partitions: Iterable[int], judge: Judge = LOGINS) -> None:
        self.counts = Counts()
        self.examples: list[str] = []
        self.judge = judge
        self.longest_stall = 0.0
        self.resumed: list[float] = []
        """Seconds from each fault until every partition had a record that was written after it."""
        self._seed = seed
        self._partitions = {number: _Partition() for number in partitions}
        self._faults: list[_Fault] = []
        self._marks: list[float] = []
        self.unexplained = 0
        """Duplicates without a fault between the writing and the arrival of the second record."""

    def add_partition(self, number: int) -> None:
        """Expect records of a new partition."""
        self._partitions[number] = _Partition()

    def mark(self, now: float) -> None:
        """Note a fault (or its end, if the time to resume is measured from there), in seconds since the epoch."""
        self._faults.append(_Fault(now, set(self._partitions)))
        self._marks.append(now)

    def take(
        self, partition: int, key: bytes | None, value: bytes | None, tag: bytes | None, times: tuple[float, float]
    ) -> None:
        """Check the next record of a partition. `times` are when it was written and when it arrived."""
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
        """Return the counts once all has been read: what was sent and is not in the output is lost."""
        lost = 0
        for partition, total in sent.items():
            state = self._partitions[partition]
            lost += len(state.missing) + len(self._expected(partition, state.next, total))
            if state.missing:
                self.examples.append(f"lost: partition {partition} numbers {sorted(state.missing)[:3]}")
        self.counts.lost = lost
        return self.counts

    def forget_before(self, numbers: Mapping[int, int]) -> None:
        """Do not count records before these numbers as lost, by partition: their input was deleted."""
        for partition, first in numbers.items():
            state = self._partitions[partition]
            state.missing = {number for number in state.missing if number >= first}

    def waiting_for(self, sent: Mapping[int, int]) -> int:
        """How many of the records sent are after the last one in the output."""
        return sum(len(self._expected(number, self._partitions[number].next, total)) for number, total in sent.items())

    @property
    def open_faults(self) -> int:
        """How many faults have a partition without new output."""
        return len(self._faults)

    @property
    def progress(self) -> dict[int, int]:
        """By partition, the number after the highest in the output."""
        return {number: state.next for number, state in self._partitions.items()}

    def _expected(self, partition: int, begin: int, end: int) -> Sequence[int]:
        """The numbers from `begin` to before `end` of which the topic must have something."""
        sent, is_expected = self.judge.record, self.judge.is_expected
        if is_expected is None:
            return range(begin, end)
        return [number for number in range(begin, end) if is_expected(sent(self._seed, partition, number))]

    def _place(self, state: _Partition, partition: int, number: int) -> None:
        if number >= state.next:
            if number > state.next:
                state.missing.update(self._expected(partition, state.next, number))
            state.next = number + 1
            self.counts.checked += 1
        elif number in state.missing:
            state.missing.remove(number)
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
    """The smallest value that at least this share (0 to 1) of the values do not exceed, or 0 without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 1000) // 1000) - 1)] if ordered else 0.0
