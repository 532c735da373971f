"""Which timestamps the output topic accepts."""

import time

import pytest

from runtime.connect.timestamp_limits import UNLIMITED, TimestampLimits

NOW = 1_800_000_000_000
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


def limits(**config: object) -> TimestampLimits:
    """Limits for these settings: `before` and `after` in milliseconds."""
    names = {"before": "message.timestamp.before.max.ms", "after": "message.timestamp.after.max.ms"}
    return TimestampLimits({names.get(name, "message.timestamp.type"): f"{value}" for name, value in config.items()})


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The present time is NOW."""
    monkeypatch.setattr(time, "time", lambda: NOW / 1000)


@pytest.mark.parametrize(
    ("tested", "timestamp", "refused"),
    [
        (limits(), 1, False),
        (limits(), UNLIMITED, False),
        (limits(before=UNLIMITED, after=UNLIMITED), 1, False),
        (limits(after=HOUR), NOW + HOUR - MINUTE, False),
        (limits(after=HOUR), NOW + HOUR - MINUTE + 1, True),
        (limits(after=HOUR), 1, False),
        (limits(before=HOUR), NOW - HOUR + MINUTE, False),
        (limits(before=HOUR), NOW - HOUR + MINUTE - 1, True),
        (limits(before=HOUR), UNLIMITED, False),
        (limits(before=HOUR), 0, False),  # becomes the present time
        (limits(before=HOUR), -1, False),
        (limits(before=20 * SECOND), NOW, False),  # the margin leaves something of a short limit
        (limits(after=20 * SECOND), NOW + 10 * SECOND, False),
        (limits(before=0, after=0, type="LogAppendTime"), 1, False),
    ],
)
def test_refuses(tested: TimestampLimits, timestamp: int, *, refused: bool) -> None:
    """Timestamps beyond a limit, or less than a minute within it, are refused."""
    tested.update()
    assert tested.refuses(timestamp) == refused


def test_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits move with the time."""
    tested = limits(before=HOUR)
    tested.update()
    assert not tested.refuses(NOW)
    monkeypatch.setattr(time, "time", lambda: NOW / 1000 + 2 * HOUR / 1000)
    tested.update()
    assert tested.refuses(NOW)


@pytest.mark.parametrize("tested", [limits(before=HOUR), limits(after=HOUR), limits(before=SECOND, after=HOUR)])
def test_widen(tested: TimestampLimits) -> None:
    """Each widening refuses more, until only the current time is left. Then it returns False."""
    tested.update()
    width = tested.newest - tested.oldest
    times = 0
    while tested.widen_margin():
        assert tested.newest - tested.oldest < width
        width = tested.newest - tested.oldest
        times += 1
    assert 2 < times < 12
    assert tested.oldest <= NOW <= tested.newest


def test_nothing_to_widen() -> None:
    """Without limits there is no margin."""
    assert not limits().widen_margin()
