"""Counts of records, and warnings: few, and complete."""

import pytest

from runtime import limits
from runtime.observe.counters import Share, Totals
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

    totals.records.uncommitted = 7
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
        totals.records.uncommitted += 5
        totals.count(Reason.TOO_LARGE, "in", 0, 0)
        totals.newest = newest
        totals.report([3, 0, 4])
        totals.commit()

    assert lines == [
        "INFO running: 5 in, 0 out, 1 malformed (too_large 1); 3 partitions, lag 7, newest record 60.2 s old",
        "INFO running: 10 in, 5 out, 2 malformed (too_large 2); 3 partitions, lag 7",
    ]


def test_discard(lines: list[str]) -> None:
    """Records that are read again count once, also by reason and in warnings. Committed ones stay."""
    totals = Totals()
    for commit in (True, False, True):
        totals.records.uncommitted += 5
        totals.count(Reason.TOO_LARGE, "in", 0, 0)
        if commit:
            totals.commit()
        else:
            totals.discard()
    assert str(totals) == "10 in, 10 out, 2 malformed (too_large 2)"
    totals.warn()
    assert [line.split()[1] for line in lines] == ["2"]


def test_latency(clock: Clock) -> None:
    """Latency is from the first record's timestamp to the commit, with the number of records as weight."""
    totals = Totals(clock, now=lambda: 1_700_000_060.0)
    shares = {
        ("in", 0): Share(5, 1_700_000_000_000, 1_700_000_059_000, 17),
        ("in", 1): Share(3, 1_700_000_059_500, 1_700_000_059_600, 4),
        ("in", 2): Share(1, 0, 0, 1),
        ("in", 3): Share(1, 1_700_000_099_000, 1_700_000_099_000, 1),
    }
    totals.handle(shares, 200)
    totals.discard()
    totals.handle(shares, 200)
    assert totals.latency.count == 0
    totals.commit(0.25)
    assert totals.latency.count == 9
    assert totals.latency.sum == 5 * 60 + 3 * 0.5
    assert totals.newest == 1_700_000_099_000
    assert (totals.batch_records.count, totals.batch_records.sum) == (2, 20)
    assert totals.checkpoints() == {"count": 1, "failures": 1, "records": 10, "seconds": 0.25, "age": 0}


def test_bytes() -> None:
    """Bytes of an aborted transaction count once. Those out count at the commit."""
    totals = Totals()
    sent = 0
    totals.sent = lambda: sent
    shares = {("in", 0): Share(5, 0, 0, 17)}
    for is_committed in (False, True):
        totals.handle(shares, 200)
        sent += 220
        assert (totals.bytes_in.total, totals.bytes_out) == (200, 0)
        if is_committed:
            totals.commit()
        else:
            totals.discard()
    assert (totals.bytes_in.total, totals.bytes_out) == (200, 220)


def test_producers_replaced() -> None:
    """The first producer replaces none."""
    totals = Totals()
    assert totals.producers_replaced == 0
    totals.producers_started = 3
    assert totals.producers_replaced == 2
