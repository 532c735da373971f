"""Counts of records, and warnings that are few and add up."""

import re
from collections.abc import Iterator

import pytest
from loguru import logger

from runtime import limits
from runtime.observe.counters import Totals
from transforms import Reason


class Clock:
    """A clock that stands still until it is told otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged meanwhile, as level and message."""
    found: list[str] = []
    sink = logger.add(lambda line: found.append(str(line).rstrip("\n")), format="{level} {message}", level=0)
    yield found
    logger.remove(sink)


@pytest.fixture
def clock() -> Clock:
    """The clock of these tests."""
    return Clock()


def test_first_warning(lines: list[str], clock: Clock) -> None:
    """The first malformed records of a reason are warned of at once: how many, why, and where one of them is."""
    totals = Totals(clock)
    totals.count(Reason.INVALID_JSON, 3, 17)
    totals.count(Reason.INVALID_JSON, 4, 18)
    totals.commit()
    totals.warn()

    assert len(lines) == 1
    assert re.fullmatch(r"WARNING 2 malformed .*: invalid_json, for example partition 4 offset 18", lines[0])


def test_rate(lines: list[str], clock: Clock) -> None:
    """However many there are, a reason is warned of once in limits.WARN_INTERVAL seconds, and the counts add up."""
    totals = Totals(clock)
    rounds = 100
    for number in range(rounds):
        totals.count(Reason.NULL_VALUE, 0, number)
        totals.commit()
        totals.warn()
        clock.now += limits.WARN_INTERVAL / 10
    totals.commit()
    totals.warn(all_of_them=True)

    counts = [int(line.split()[1]) for line in lines]
    assert sum(counts) == rounds
    assert len(counts) == rounds / 10 + 1


def test_reasons_apart(lines: list[str], clock: Clock) -> None:
    """Each reason has a rate of its own."""
    totals = Totals(clock)
    for reason in Reason:
        totals.count(reason, 0, 0)
        totals.commit()
        totals.warn()
        totals.count(reason, 0, 1)
        totals.commit()
        totals.warn()

    assert [line.split(": ")[1].split(",")[0] for line in lines] == list(Reason)


@pytest.mark.parametrize("all_of_them", [False, True])
def test_nothing_to_say(lines: list[str], clock: Clock, *, all_of_them: bool) -> None:
    """Without malformed records, and twice for the same ones, there is no warning."""
    totals = Totals(clock)
    totals.commit()
    totals.warn(all_of_them=all_of_them)
    assert lines == []

    totals.count(Reason.TOO_LARGE, 0, 0)
    totals.commit()
    totals.warn(all_of_them=all_of_them)
    totals.commit()
    totals.warn(all_of_them=all_of_them)
    assert len(lines) == 1


def test_text() -> None:
    """The totals are one line: in, out, malformed, and the reasons, the most frequent one first."""
    totals = Totals()
    assert str(totals) == "0 in, 0 out, 0 malformed"

    totals.uncommitted = 7
    for reason in (Reason.EMPTY_VALUE, Reason.TOO_LARGE, Reason.TOO_LARGE):
        totals.count(reason, 0, 0)
    assert str(totals) == "7 in, 0 out, 3 malformed (too_large 2, empty_value 1)"

    totals.commit()
    assert str(totals) == "7 in, 7 out, 3 malformed (too_large 2, empty_value 1)"


def test_discard(lines: list[str]) -> None:
    """Records that are given up and taken again count once, also by reason and in warnings; committed ones stay."""
    totals = Totals()
    for commit in (True, False, True):
        totals.uncommitted += 5
        totals.count(Reason.TOO_LARGE, 0, 0)
        if commit:
            totals.commit()
        else:
            totals.discard()
    assert str(totals) == "10 in, 10 out, 2 malformed (too_large 2)"
    totals.warn()
    assert [line.split()[1] for line in lines] == ["2"]
