"""Finds where two sequences of records match again after a difference, and sorts the records of the gap.

It does no I/O.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

Headers = tuple[tuple[str, bytes | None], ...] | None


class Record(NamedTuple):
    """What is compared of a record. The timestamp is in milliseconds, or None if it is not compared."""

    key: bytes | None
    value: bytes | None
    timestamp: int | None
    headers: Headers


class Anchor(NamedTuple):
    """How many records of each side come before the place where they match again."""

    inputs: int
    outputs: int


class Sorted(NamedTuple):
    """The records of a gap by their indices: pairs for those on both sides, single ones for the others."""

    in_place: list[tuple[int, int]]
    moved: list[tuple[int, int]]
    missing: list[int]
    extra: list[int]


WINDOW = 10_240
"""How many records of each side are searched for the place where both match again."""

_FIRST_WINDOW, _GROWTH = 40, 4
_RUN = 8  # both sides match again if this many records in a row are equal
_COPIES = 8  # how many of several equal records are tried


def find_anchor(inputs: Sequence[Record], outputs: Sequence[Record]) -> Anchor | None:
    """Find the nearest place where both sides match again, in small windows first.

    If no run of records matches, for example if every other record is lost, one record that is unique on both sides
    is enough.

    Args:
        inputs: the next expected records.
        outputs: the next records found; the first one differs from the first expected.
    """
    window = _FIRST_WINDOW
    while True:
        expected, found = inputs[:window], outputs[:window]
        places = _places(expected)
        if anchor := _nearest_run(places, found, inputs, outputs):
            return anchor
        is_full = len(expected) == window == len(found)
        if is_full and (anchor := _nearest_unique(places, found)):
            return anchor
        if window >= WINDOW or (len(inputs) <= window and len(outputs) <= window):
            return None
        window *= _GROWTH


def _places(records: Iterable[Hashable]) -> dict[Hashable, list[int]]:
    places = defaultdict(list)
    for index, record in enumerate(records):
        places[record].append(index)
    return places


def _nearest_run(
    places: dict[Hashable, list[int]], found: Sequence[Record], inputs: Sequence[Record], outputs: Sequence[Record]
) -> Anchor | None:
    best = None
    for after, record in enumerate(found):
        if best and after >= sum(best):
            break
        for before in places.get(record, ())[:_COPIES]:
            if best and before + after >= sum(best):
                break
            run = outputs[after : after + _RUN]
            if len(run) == _RUN and inputs[before : before + _RUN] == run:
                best = Anchor(before, after)
    return best


def _nearest_unique(places: dict[Hashable, list[int]], found: Sequence[Record]) -> Anchor | None:
    """The nearest record that is unique on both sides, and that no other unique record has passed."""
    copies = _places(found)
    once = [
        Anchor(places[record][0], after[0])
        for record, after in copies.items()
        if len(after) == 1 and len(places.get(record, ())) == 1
    ]
    furthest = list(accumulate((pair.inputs for pair in once), max))
    nearest = list(accumulate((pair.inputs for pair in reversed(once)), min))[::-1]
    unpassed = (pair for pair, most, least in zip(once, furthest, nearest, strict=True) if most == least)
    return next(unpassed, None)


def sort_gap(inputs: Sequence[Record], outputs: Sequence[Record]) -> Sorted:
    """Sort the records of a gap: on both sides, in order or not, or on one side only."""
    waiting = {record: deque(places) for record, places in _places(inputs).items()}
    pairs, extra = [], []
    for after, record in enumerate(outputs):
        if waiting.get(record):
            pairs.append((waiting[record].popleft(), after))
        else:
            extra.append(after)
    moved = out_of_order([before for before, _ in pairs])
    return Sorted(
        in_place=[pair for number, pair in enumerate(pairs) if number not in moved],
        moved=[pair for number, pair in enumerate(pairs) if number in moved],
        missing=sorted(place for places in waiting.values() for place in places),
        extra=extra,
    )


def out_of_order(places: Sequence[int]) -> set[int]:
    """Return the elements of a permutation that are out of order.

    Two that changed places both are; of the others, the fewest that would have to move.
    """
    rank = {place: number for number, place in enumerate(sorted(places))}
    order = [rank[place] for place in places]
    swapped = {at for at, place in enumerate(order) if place != at and order[place] == at}
    others = [at for at in range(len(order)) if at not in swapped]
    kept = {others[index] for index in _longest_rise([order[at] for at in others])}
    return swapped | (set(others) - kept)


def _longest_rise(numbers: Sequence[int]) -> set[int]:
    """The indices of a longest rising subsequence."""
    tails: list[int] = []  # by length, the smallest last number of a rise of that length, and its index
    ends: list[int] = []
    before: list[int] = []
    for index, number in enumerate(numbers):
        length = bisect_left(tails, number)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [number]
        ends[length : length + 1] = [index]
    kept = set()
    index = ends[-1] if ends else -1
    while index >= 0:
        kept.add(index)
        index = before[index]
    return kept


def alike(first: Record, second: Record) -> bool:
    """Whether two of key, value and timestamp are equal: the records probably belong together."""
    return sum(one == other for one, other in zip(first[:3], second[:3], strict=True)) >= 2  # noqa: PLR2004


def resembles(first: Record, second: Record) -> bool:
    """Whether the records certainly belong together: alike, not equal, and with the same timestamp."""
    return first != second and first.timestamp == second.timestamp is not None and alike(first, second)


def pair_alike(inputs: Sequence[Record], outputs: Sequence[Record]) -> list[tuple[int, int]]:
    """Pair outputs with their probable inputs, by their indices, the most alike first."""
    pairs: list[tuple[int, int]] = []
    left_in, left_out = dict(enumerate(inputs)), dict(enumerate(outputs))
    for traits in ((0, 1, 2), (0, 2), (1, 2), (0, 1)):
        waiting: dict[object, deque[int]] = defaultdict(deque)
        for before, record in left_in.items():
            waiting[tuple(record[trait] for trait in traits)].append(before)
        for after, record in list(left_out.items()):
            if candidates := waiting.get(tuple(record[trait] for trait in traits)):
                before = candidates.popleft()
                pairs.append((before, after))
                del left_in[before], left_out[after]
    return pairs


def first_due(inputs: Sequence[Record], outputs: Sequence[Record]) -> int:
    """Count the inputs before the first one that has an output: an equal one, or one alike with its timestamp."""
    marks = {mark for record in outputs for mark in _marks(record)}
    return next((at for at, record in enumerate(inputs) if not marks.isdisjoint(_marks(record))), len(inputs))


def _marks(record: Record) -> list[object]:
    """What two records share if they are equal, or have the same timestamp and the same key or value."""
    time = record.timestamp
    return [record] if time is None else [(time, "key", record.key), (time, "value", record.value)]
