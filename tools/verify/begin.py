"""Finds where input and output begin to match if the first records of one of them may be missing. It does no I/O.

Several equal records may have the first millisecond, so the first match need not be the right one. The right one
matches up to the end of one side.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from tools.verify.gap import WINDOW, Record


class Skip(NamedTuple):
    """How many first records of each side to skip."""

    inputs: int
    outputs: int


class Known(NamedTuple):
    """What is known of the records so far.

    Attributes:
        cut: the first inputs may be missing.
        late: the outputs of the first inputs may be missing.
        covered: all inputs of these outputs are known.
        complete: all outputs are known.
    """

    cut: bool
    late: bool
    covered: bool
    complete: bool


def find_begin(inputs: Sequence[Record], outputs: Sequence[Record], known: Known) -> Skip | None:
    """Return what to skip of two sides that both have records, or None if more records are needed."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(inputs, outputs, strict=False))
    alike = [one.timestamp for one, _ in pairs]
    if len(alike) >= WINDOW or alike.count(inputs[0].timestamp) < len(alike):
        return Skip(0, 0)
    if len(alike) == len(outputs) or (len(alike) == len(inputs) and not known.covered):
        return Skip(0, 0) if known.complete else None
    for may_be, ahead, behind, to_end in (
        (known.cut, outputs, inputs, known.covered),
        (known.late, inputs, outputs, False),
    ):
        count = first_overlap(ahead, behind, to_end=to_end) if may_be else 0
        if not may_be or any(_is_after(one, behind[0]) for one in ahead[:count]):
            continue
        if count < len(ahead) and min(len(ahead) - count, len(behind)) >= len(alike):
            return Skip(0, count) if ahead is outputs else Skip(count, 0)
        if not known.complete and count < WINDOW:
            return None
    return Skip(0, 0)


def first_overlap(ahead: Sequence[Record], behind: Sequence[Record], *, to_end: bool) -> int:
    """Count the first records of one side without which it matches the other, up to the end of one of them.

    This is the search of Knuth, Morris and Pratt.

    Args:
        ahead: the side that may have more records at its begin.
        behind: the other side.
        to_end: whether the first side must not end after the other.
    """
    shorter, at = [0], 0  # for each place, how many records up to it equal the first ones
    for record in behind[1:]:
        while at and behind[at] != record:
            at = shorter[at - 1]
        at += behind[at] == record
        shorter.append(at)
    at = 0
    for number, record in enumerate(ahead):
        while at and (at == len(behind) or behind[at] != record):
            at = shorter[at - 1]
        at += behind[at] == record
        if at == len(behind) and not to_end:
            return number + 1 - at
    return len(ahead) - at


def _is_after(one: Record, other: Record) -> bool:
    """Whether its timestamp is later."""
    return one.timestamp is not None and other.timestamp is not None and one.timestamp > other.timestamp
