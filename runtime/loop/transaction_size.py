"""Limits the records of one transaction: few at first, more while the broker accepts them quickly."""

import math
import time
from collections import deque
from collections.abc import Callable

FIRST = 200
"""Records of the first transaction."""

QUICK, SLOW = 1.0, 2.0
"""If a flush takes less than QUICK seconds, the next transaction may be larger. If more than SLOW, it is smaller."""

STEP = 6
"""This many times larger. Its flush should then take less than limits.FLUSH_TIMEOUT."""

_WINDOW = 20.0  # seconds over which the broker's rate is measured: twice the window of its quotas
_GROWTH = 1.1


class TransactionSize:
    """The current limit, in records. COMMIT_INTERVAL or COMMIT_EVERY may end a transaction earlier.

    A broker with a quota accepts some transactions at once and delays the next one. So the duration of one flush says
    little. After a slow flush, the rate of the last 20 s limits the size, and that limit grows slowly.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = FIRST
        self._clock = clock
        self._bound = math.inf
        self._taken: deque[tuple[float, int]] = deque([(clock(), 0)])

    def note(self, records: int, seconds: float) -> None:
        """Adapt to a completed flush of a transaction."""
        is_full = records >= self.records
        now = self._clock()
        self._taken.append((now, records))
        while self._taken[0][0] < now - _WINDOW:
            self._taken.popleft()
        if seconds > SLOW:
            self._bound = self._rate() * SLOW
        elif seconds < QUICK and is_full:
            self._bound *= _GROWTH
            self.records *= STEP
        self.records = int(max(1, min(self.records, self._bound)))

    def reduce(self, records: int) -> None:
        """Adapt to a flush that timed out."""
        self.records = max(1, min(self.records, records) // 4)
        self._bound = max(self.records, self._rate() * SLOW)

    def _rate(self) -> float:
        """Records per second that the broker accepted within the window."""
        return sum(records for _, records in self._taken) / max(1.0, self._clock() - self._taken[0][0])
