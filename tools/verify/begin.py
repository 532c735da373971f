"""Where both sides begin to go on alike, where the first records of one of them may be gone; pure.

Several equal records may share the millisecond with which it begins, and the first places that agree need not be the
right ones: those agree as far as both sides reach.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from tools.verify.gap import WINDOW, Record


class Skip(NamedTuple):
    """How many first records of each side to leave aside."""

    inputs: int
    outputs: int


class Given(NamedTuple):
    """What is known of the records at hand.

    Attributes:
        cut: the first inputs may be gone.
        late: the first inputs may lack their outputs.
        covered: all inputs are there that the outputs were made of.
        complete: all outputs are there.
    """

    cut: bool
    late: bool
    covered: bool
    complete: bool


def find_begin(inputs: Sequence[Record], outputs: Sequence[Record], given: Given) -> Skip | None:
    """Say what to leave aside of two sides that both have records; None where more of them must tell."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(inputs, outputs, strict=False))
    alike = [one.timestamp for one, _ in pairs]
    if len(alike) >= WINDOW or alike.count(inputs[0].timestamp) < len(alike):
        return Skip(0, 0)
    if len(alike) == len(outputs) or (len(alike) == len(inputs) and not given.covered):
        return Skip(0, 0) if given.complete else None
    for may_be, ahead, behind, to_end in (
        (given.cut, outputs, inputs, given.covered),
        (given.late, inputs, outputs, False),
    ):
        count = first_overlap(ahead, behind, to_end=to_end) if may_be else 0
        if not may_be or any(_is_after(one, behind[0]) for one in ahead[:count]):
            continue
        if count < len(ahead) and min(len(ahead) - count, len(behind)) >= len(alike):
            return Skip(0, count) if ahead is outputs else Skip(count, 0)
        if not given.complete and count < WINDOW:
            return None
    return Skip(0, 0)


def first_overlap(ahead: Sequence[Record], behind: Sequence[Record], *, to_end: bool) -> int:
    """Count the first records of one side without which it is like the other as far as both reach.

    This is the search of Knuth, Morris and Pratt.

    Args:
        ahead: the side that may have more in front.
        behind: the other one.
        to_end: whether the first side must not reach further than the other.
    """
    shorter, at = [0], 0  # for each place, how many records up to it are like the first ones
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
    """Whether it is of a later time, and so not of before the other."""
    return one.timestamp is not None and other.timestamp is not None and one.timestamp > other.timestamp
