"""How many records a transaction may hold."""

import pytest

from runtime import limits
from runtime.loop.transaction_size import FIRST, QUICK, SLOW, STEP, TransactionSize
from tests.runtime.clock import Clock

QUICKLY, SLOWLY = QUICK / 2, 2 * SLOW
BETWEEN = (QUICK + SLOW) / 2


@pytest.mark.parametrize(
    ("flushes", "size"),
    [
        ([], FIRST),
        ([(FIRST, QUICKLY)], STEP * FIRST),
        ([(FIRST, QUICKLY), (STEP * FIRST, QUICKLY)], STEP**2 * FIRST),
        ([(FIRST, QUICKLY), (FIRST, QUICKLY)], STEP * FIRST),  # it was not full: that says nothing of more
        ([(1, QUICKLY)], FIRST),
        ([(FIRST, BETWEEN)], FIRST),
        ([(100, SLOWLY)], 10 * SLOW),
        ([(100, SLOWLY), (100, SLOWLY)], 10 * SLOW),
        ([(1, SLOWLY)], 1),
        ([(100, SLOWLY), (20, QUICKLY)], int(1.1 * 10 * SLOW)),
    ],
)
def test_note(flushes: list[tuple[int, float]], size: int) -> None:
    """It grows after a full transaction that was quick. After a slow one, the rate bounds it, here 10 a second."""
    clock = Clock()
    tested = TransactionSize(clock)
    for records, seconds in flushes:
        clock.now += 10
        tested.note(records, seconds)
    assert tested.records == size


def test_step() -> None:
    """A transaction that is STEP times larger than a quick one can still be flushed in time."""
    assert STEP * QUICK < limits.FLUSH_TIMEOUT


def test_rate_of_late() -> None:
    """What the broker took long ago does not count."""
    clock = Clock()
    tested = TransactionSize(clock)
    for records in (1_000_000, 100):
        clock.now += 60
        tested.note(records, SLOWLY)
    assert tested.records == 100 * SLOW


@pytest.mark.parametrize(("records", "size"), [(400, FIRST // 4), (40, 10), (1, 1), (10 * FIRST, FIRST // 4)])
def test_reduce(records: int, size: int) -> None:
    """A flush that did not end in time leaves a quarter of it, and 1 at least."""
    tested = TransactionSize(Clock())
    tested.reduce(records)
    assert tested.records == size
