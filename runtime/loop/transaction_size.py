"""How many records one transaction may hold: few at first, more while the broker takes them quickly."""

import math
import time
from collections import deque
from collections.abc import Callable

FIRST = 200
"""Records of the first transaction."""

QUICK, SLOW = 1.0, 2.0
"""Seconds of a flush below which the next transaction may be larger, and above which it is made smaller."""

_WINDOW = 20.0  # seconds over which the broker's rate is measured: twice what its quotas are
_GROWTH = 1.1


class TransactionSize:
    """The present limit, in records; COMMIT_INTERVAL or COMMIT_EVERY may end a transaction earlier.

    A broker with a quota takes some transactions at once and lets the next one wait, so that the time of one flush says
    little. After a slow one, the rate of the last 20 s bounds the size, and that bound grows slowly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = FIRST
        self._clock = clock
        self._bound = math.inf
        self._taken: deque[tuple[float, int]] = deque([(clock(), 0)])

    def note(self, records: int, seconds: float) -> None:
        """Take account of a transaction's flush that came to its end."""
        is_limit = records >= self.records
        now = self._clock()
        self._taken.append((now, records))
        while self._taken[0][0] < now - _WINDOW:
            self._taken.popleft()
        if seconds > SLOW:
            self._bound = self._rate() * SLOW
        elif seconds < QUICK and is_limit:
            self._bound *= _GROWTH
            self.records *= 2
        self.records = int(max(1, min(self.records, self._bound)))

    def reduce(self, records: int) -> None:
        """Take account of a flush that did not end in time."""
        self.records = max(1, min(self.records, records) // 4)
        self._bound = max(self.records, self._rate() * SLOW)

    def _rate(self) -> float:
        """Records per second that the broker has taken lately."""
        return sum(records for _, records in self._taken) / max(1.0, self._clock() - self._taken[0][0])
