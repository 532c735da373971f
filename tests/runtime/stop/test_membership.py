"""A stop while the worker joins its group."""

import time

import pytest

from runtime import limits
from runtime.errors import Failed
from runtime.explain import EVICTED_TEXT
from runtime.stop.membership import Membership, unmask_callback_error
from tests.runtime.clock import Clock


@pytest.mark.parametrize("joins_at", [0, 1, 5])
def test_waits(joins_at: int) -> None:
    """It polls until it has joined, and no longer."""
    member, polls = Membership(), 0

    def poll(_seconds: float) -> None:
        nonlocal polls
        polls += 1
        member.joining = polls < joins_at

    member.joining = joins_at > 0
    member.wait_until_joined(poll)
    assert polls == joins_at


def test_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the rebalance does not end in time, it stops waiting."""
    monkeypatch.setattr(limits, "JOIN_TIMEOUT", 0.05)
    member = Membership()
    polls: list[float] = []
    member.wait_until_joined(polls.append)
    assert polls
    assert member.joining


def test_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long join is late once in limits.START_TIMEOUT. A rebalance starts that time again."""
    clock, member = Clock(), Membership()
    monkeypatch.setattr(time, "monotonic", clock)
    late = []
    for seconds, member.joining in ((0, True), (24, True), (2, True), (1, True), (25, True), (1, False), (25, True)):
        clock.now += seconds
        late.append(member.is_late())
    assert late == [False, False, True, False, True, False, False]


@pytest.mark.parametrize(
    ("error", "original", "is_raised"),
    [
        (SystemError("returned NULL without setting an exception"), Failed(EVICTED_TEXT), True),
        (SystemError("returned NULL without setting an exception"), None, False),
        (RuntimeError("another"), Failed(EVICTED_TEXT), False),
    ],
)
def test_lost_exception(error: Exception, original: Exception | None, *, is_raised: bool) -> None:
    """If confluent-kafka has lost what our callback raised, that is given, and otherwise the error itself."""
    assert unmask_callback_error(error, original) is (original if is_raised else error)
