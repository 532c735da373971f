"""The rates and the latency of the last 10 minutes."""

import pytest

from runtime.observe.recent import SLOT, SLOTS, Recent
from tests.runtime.clock import Clock

NOW = 1_700_000_000.0


@pytest.fixture
def clock() -> Clock:
    """A clock at the beginning of a slot."""
    clock = Clock()
    clock.now = 100.0 * SLOT
    return clock


def test_rates(clock: Clock) -> None:
    """There is one rate for each complete slot, oldest first, also for those without records."""
    recent = Recent(clock, lambda: NOW + clock.now)
    assert recent.rates() == []
    recent.slot.records_in += 10
    clock.now += SLOT
    recent.slot.records_out += 20
    clock.now += 2 * SLOT
    start = NOW + 100 * SLOT
    assert recent.rates() == [
        {"time": start + SLOT, "in": 10 / SLOT, "out": 0},
        {"time": start + 2 * SLOT, "in": 0, "out": 20 / SLOT},
        {"time": start + 3 * SLOT, "in": 0, "out": 0},
    ]


def test_ten_minutes(clock: Clock) -> None:
    """Only the last 10 minutes are kept, and count for the latency."""
    recent = Recent(clock)
    assert recent.latency() is None
    recent.slot.records_in += 1
    recent.slot.latency.add(3600)
    for _ in range(SLOTS):
        clock.now += SLOT
        recent.slot.records_in += 5
        recent.slot.latency.add(0.04)
    assert [rate["in"] for rate in recent.rates()] == [1 / SLOT, *([1] * (SLOTS - 1))]
    clock.now += SLOT
    assert [rate["in"] for rate in recent.rates()] == [1] * SLOTS
    latency = recent.latency()
    assert latency is not None
    assert latency["p99"] == pytest.approx(0.05, abs=0.001)
    clock.now += 2 * SLOTS * SLOT
    assert [rate["in"] for rate in recent.rates()] == [0] * SLOTS
    assert recent.latency() is None
