"""Keeps the rates and the latency of the last 10 minutes, in slots of 5 seconds."""

import time
from collections import deque
from collections.abc import Callable

from runtime.observe.distribution import Distribution, quantile

SLOT = 5
"""Seconds for which one rate is kept."""

SLOTS = 120
"""How many rates are kept: those of 10 minutes."""

LATENCY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0)
"""Seconds."""


class _Slot:
    """The counts of 5 seconds."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.records_in = 0
        self.records_out = 0
        self.latency = Distribution(LATENCY_BOUNDS)


class Recent:
    """Counts of the last 10 minutes.

    Args:
        clock: seconds, monotonic.
        now: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock, self._now = clock, now
        self._first = int(clock() // SLOT)
        self._slots = deque([_Slot(self._first)], maxlen=SLOTS + 1)

    @property
    def slot(self) -> _Slot:
        """The current slot."""
        number = int(self._clock() // SLOT)
        if number != self._slots[-1].number:
            self._slots.append(_Slot(number))
        return self._slots[-1]

    def rates(self) -> list[dict[str, float]]:
        """Give the records per second of each complete slot, the oldest first, with the time at its end."""
        seconds = self._clock()
        current = int(seconds // SLOT)
        by_number = {slot.number: slot for slot in list(self._slots)}
        rates = []
        for number in range(max(self._first, current - SLOTS), current):
            slot = by_number.get(number) or _Slot(number)
            ended = self._now() - seconds + (number + 1) * SLOT
            rates.append({"time": round(ended, 1), "in": slot.records_in / SLOT, "out": slot.records_out / SLOT})
        return rates

    def latency(self) -> dict[str, float | None] | None:
        """Give the latency that a half and 99 % of the records did not exceed, in seconds, or None without records."""
        oldest = int(self._clock() // SLOT) - SLOTS
        recent = [slot.latency for slot in list(self._slots) if slot.number >= oldest]
        if quantile(0.5, recent) is None:
            return None
        return {"p50": quantile(0.5, recent), "p99": quantile(0.99, recent)}
