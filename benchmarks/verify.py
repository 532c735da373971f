"""Checks that a peer's output has no record lost, repeated or wrong. Ours is compared by tools.verify."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Protocol

import orjson

from benchmarks.load import Value
from benchmarks.peers.bare_loop import upper
from pipeline import TRANSFORMS
from tools.generator.logins import GeneratedRecord
from tools.verify.comparison import Comparison
from tools.verify.findings import COUNTS
from tools.verify.gap import Record
from transforms import Malformed, chain

_DISTINCT = 50_000  # more than the values of a pool
_transform = chain(*TRANSFORMS)


class WrongOutput(Exception):
    """A peer's output is wrong, so its figures are not valid."""


class OutputCheck(Protocol):
    """Compares the output of one run with its input, as it is read."""

    def add(self, partition: int, values: Sequence[Value]) -> None:
        """Take the next outputs of a partition."""

    def finish(self) -> None:
        """Compare the rest.

        Raises:
            WrongOutput: records are lost, duplicated or wrong, or reordered if the order counts.
        """


def output_check(
    pool: Sequence[GeneratedRecord], start: int, count: int, partitions: int = 1, *, exact: bool
) -> OutputCheck:
    """Return the check for one run.

    Args:
        pool: the records that the input repeats, from partition to partition in turn.
        start: the number of the first record.
        count: how many records.
        partitions: of both topics.
        exact: whether the output must equal our transforms' bytes in the order of each partition; otherwise JSON that
            is equal, in any order.
    """
    values = [record.value for record in pool]
    return _ExactCheck(values, start, count, partitions) if exact else _JSONCheck(values, start, count)


class _ExactCheck:
    """Compares bytes and order, with the comparison of tools.verify."""

    def __init__(self, pool: Sequence[Value], start: int, count: int, partitions: int) -> None:
        self._comparisons = [Comparison() for _ in range(partitions)]
        numbers = (range(start + first, start + count, partitions) for first in range(partitions))
        self._inputs = [enumerate(_record(_ours(pool[number % len(pool)])) for number in own) for own in numbers]
        self._offsets = defaultdict[int, int](int)

    def add(self, partition: int, values: Sequence[Value]) -> None:
        begin = self._offsets[partition]
        self._offsets[partition] += len(values)
        self._expect(partition, len(values))
        found = range(begin, begin + len(values))
        self._comparisons[partition].add_outputs(found, [_record(value) for value in values])

    def finish(self) -> None:
        counts = dict.fromkeys(COUNTS, 0)
        for partition, comparison in enumerate(self._comparisons):
            while self._expect(partition, _DISTINCT):
                pass
            comparison.end()
            for name, count in comparison.findings().counts.items():
                counts[name] += count
        if any(count for name, count in counts.items() if name != "checked"):
            raise WrongOutput(", ".join(f"{name} {count}" for name, count in counts.items()))

    def _expect(self, partition: int, count: int) -> int:
        """Add the next inputs, at most `count`, and return how many."""
        inputs: Iterator[tuple[int, Record]] = self._inputs[partition]
        taken = list(islice(inputs, count))
        self._comparisons[partition].add_inputs([offset for offset, _ in taken], [record for _, record in taken])
        return len(taken)


class _JSONCheck:
    """Counts equal JSON: Bento's output is too far out of order for a comparison of neighbours."""

    def __init__(self, pool: Sequence[Value], start: int, count: int) -> None:
        numbers = range(start, start + count)
        self._missing = Counter(_canonical_upper(pool[number % len(pool)]) for number in numbers)
        """By value, how many outputs are missing. It is below zero if there are too many."""

    def add(self, _partition: int, values: Sequence[Value]) -> None:
        self._missing.subtract(map(_canonical, values))

    def finish(self) -> None:
        lost, extra = (+self._missing).total(), (-self._missing).total()
        if lost or extra:
            raise WrongOutput(f"lost {lost}, duplicated or wrong {extra}")


def _record(value: Value) -> Record:
    return Record(None, value, None, None)


@lru_cache(_DISTINCT)
def _ours(value: Value) -> Value:
    result = _transform(value)
    return result.value if isinstance(result, Malformed) else result


@lru_cache(_DISTINCT)
def _canonical_upper(value: Value) -> Value:
    return _canonical(upper(value))


@lru_cache(_DISTINCT)
def _canonical(value: Value) -> Value:
    try:
        return orjson.dumps(json.loads(value or b""), option=orjson.OPT_SORT_KEYS)
    except ValueError:
        return value
