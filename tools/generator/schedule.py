"""When the next record is due."""

BACKLOG = 1.0
"""After a delay, at most the records of this many seconds are sent at once."""


class Schedule:
    """When the next record is due: at even intervals, without drift, and without a burst after a delay.

    Args:
        rate: records per second; 0 for as fast as possible.
        now: seconds of a monotonic clock.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._due = now

    def pause(self, now: float) -> float:
        """The seconds until the next record is due: 0 or less if it is due now."""
        return self._due - now

    def sent(self, now: float) -> None:
        """Note that it was sent, so that the one after it is next."""
        self._due = max(self._due + self._interval, now - BACKLOG)
