"""The logins that the benchmark sends."""

import json
import time

import pytest

from benchmarks.load import pool
from tools.generator.logins import WELL_FORMED


@pytest.mark.parametrize("size", [100, 230, 1_000, 8_000, 64_000])
def test_sizes(size: int) -> None:
    """Every well-formed login has the requested size, as json.dumps writes it, and the current time."""
    for record in pool(size):
        login = json.loads(record.value or b"")
        assert json.dumps(login).encode() == record.value
        if record.reason == WELL_FORMED:
            assert len(record.value) == size
        assert abs(login.get("timestamp", time.time()) - time.time()) < 60


@pytest.mark.parametrize(
    ("shares", "expected"), [((0.025, 0.0), 0.025), ((0.0, 0.0), 0.0), ((0.0, 0.02), 0.02), ((0.0, 1.0), 1.0)]
)
def test_malformed_share(shares: tuple[float, float], expected: float) -> None:
    """The malformed share is about the requested one, and exact for none and all."""
    records = pool(without_device_type=shares[0], malformed=shares[1])
    share = sum(record.reason != WELL_FORMED for record in records) / len(records)
    assert share == pytest.approx(expected, rel=0.2, abs=0)


def test_same_for_every_peer() -> None:
    """Two pools are the same except for the time."""
    one, other = pool(), pool()
    assert [record.key for record in one] == [record.key for record in other]
    assert [record.reason for record in one] == [record.reason for record in other]
