"""Counts of records, and warnings: few, and complete."""

import pytest

from runtime import limits
from runtime.observe.counters import Totals
from tests.runtime.clock import Clock
from transforms import Reason


@pytest.fixture
def clock() -> Clock:
    """The clock of these tests."""
    return Clock()


def test_first_warning(lines: list[str], clock: Clock) -> None:
    """The first malformed records of a reason give a warning at once: their number, the reason, and the latest one."""
    totals = Totals(clock)
    totals.count(Reason.INVALID_JSON, "in", 3, 17)
    totals.count(Reason.INVALID_JSON, "in", 4, 18)
    totals.commit()
    totals.warn()

    assert lines == ["WARNING 2 malformed records (invalid_json), latest at in[4]@18"]


def test_rate(lines: list[str], clock: Clock) -> None:
    """There is one warning per reason and limits.WARN_INTERVAL, and the counts add up."""
    totals = Totals(clock)
    rounds = 100
    for number in range(rounds):
        totals.count(Reason.NULL_VALUE, "in", 0, number)
        totals.commit()
        totals.warn()
        clock.now += limits.WARN_INTERVAL / 10
    totals.commit()
    totals.warn(all_of_them=True)

    counts = [int(line.split()[1]) for line in lines]
    assert sum(counts) == rounds
    assert len(counts) == rounds / 10 + 1


def test_reasons_apart(lines: list[str], clock: Clock) -> None:
    """Each reason has its own interval."""
    totals = Totals(clock)
    for reason in Reason:
        totals.count(reason, "in", 0, 0)
        totals.commit()
        totals.warn()
        totals.count(reason, "in", 0, 1)
        totals.commit()
        totals.warn()

    assert lines == [f"WARNING 1 malformed record ({reason}), latest at in[0]@0" for reason in Reason]


@pytest.mark.parametrize("all_of_them", [False, True])
def test_nothing_to_say(lines: list[str], clock: Clock, *, all_of_them: bool) -> None:
    """Without malformed records, and twice for the same ones, there is no warning."""
    totals = Totals(clock)
    totals.commit()
    totals.warn(all_of_them=all_of_them)
    assert lines == []

    totals.count(Reason.TOO_LARGE, "in", 0, 0)
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
        totals.count(reason, "in", 0, 0)
    assert str(totals) == "7 in, 0 out, 3 malformed (too_large 2, empty_value 1)"

    totals.commit()
    assert str(totals) == "7 in, 7 out, 3 malformed (too_large 2, empty_value 1)"


def test_report(lines: list[str], clock: Clock) -> None:
    """Each limits.REPORT_INTERVAL, the totals, the lag and the age of the newest record are due for one line."""
    totals = Totals(clock, now=lambda: 1_700_000_060.25)
    for newest in (1_700_000_000_000, 0):
        assert not totals.is_report_due()
        clock.now += limits.REPORT_INTERVAL
        assert totals.is_report_due()
        totals.uncommitted += 5
        totals.count(Reason.TOO_LARGE, "in", 0, 0)
        totals.report(partitions=3, lag=7, newest=newest)
        totals.commit()

    assert lines == [
        "INFO running: 5 in, 0 out, 1 malformed (too_large 1); 3 partitions, lag 7, newest record 60.2 s old",
        "INFO running: 10 in, 5 out, 2 malformed (too_large 2); 3 partitions, lag 7",
    ]


def test_discard(lines: list[str]) -> None:
    """Records that are read again count once, also by reason and in warnings; committed ones stay."""
    totals = Totals()
    for commit in (True, False, True):
        totals.uncommitted += 5
        totals.count(Reason.TOO_LARGE, "in", 0, 0)
        if commit:
            totals.commit()
        else:
            totals.discard()
    assert str(totals) == "10 in, 10 out, 2 malformed (too_large 2)"
    totals.warn()
    assert [line.split()[1] for line in lines] == ["2"]
