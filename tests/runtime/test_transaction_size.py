"""How many records a transaction may hold."""

import pytest

from runtime.transaction_size import FIRST, QUICK, SLOW, TransactionSize

QUICKLY, SLOWLY = QUICK / 2, 2 * SLOW


@pytest.mark.parametrize(
    ("flushes", "size"),
    [
        ([], FIRST),
        ([(FIRST, QUICKLY)], 2 * FIRST),
        ([(FIRST, QUICKLY), (2 * FIRST, QUICKLY)], 4 * FIRST),
        ([(FIRST, QUICKLY), (FIRST, QUICKLY)], 2 * FIRST),  # it was not full: that says nothing of twice as many
        ([(1, QUICKLY)], FIRST),
        ([(FIRST, (QUICK + SLOW) / 2)], FIRST),
        ([(FIRST, SLOWLY)], FIRST // 2),
        ([(100, SLOWLY)], 50),  # fewer than it might have been
        ([(1, SLOWLY)], 1),
        ([(FIRST, SLOWLY)] * 20, FIRST // 4),
    ],
)
def test_note(flushes: list[tuple[int, float]], size: int) -> None:
    """It doubles after a full transaction that was quick, and is half of one that was slow; never below 1."""
    tested = TransactionSize()
    for handled, seconds in flushes[:2]:
        tested.note(handled, seconds)
    assert tested.records == size


@pytest.mark.parametrize(("handled", "size"), [(400, 100), (1, 1), (10 * FIRST, FIRST // 4)])
def test_reduce(handled: int, size: int) -> None:
    """A flush that did not end in time leaves a quarter of it, and 1 at least."""
    tested = TransactionSize()
    tested.reduce(handled)
    assert tested.records == size
