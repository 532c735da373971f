"""Leaves the consumer group only after joining it, and finds the error that a callback raised."""

import time
from collections.abc import Callable

from runtime import limits

_POLL_TIMEOUT = 0.05  # seconds


class Membership:
    """Whether this worker is joining its group, or has its partitions.

    A worker that exits while it joins remains a member until its session ends, because the broker reads its request to
    leave only after the rebalance. Until then, no other worker gets a partition.
    """

    def __init__(self) -> None:
        self.joining = True
        self._late_from: float | None = None

    def is_late(self) -> bool:
        """Whether it has been joining for limits.START_TIMEOUT since the first call, or since this last was True."""
        now = time.monotonic()
        if not self.joining:
            self._late_from = None
            return False
        is_late = self._late_from is not None and now >= self._late_from
        if is_late or self._late_from is None:
            self._late_from = now + limits.START_TIMEOUT
        return is_late

    def wait_until_joined(self, poll: Callable[[float], object]) -> None:
        """Poll until it has joined, for at most limits.JOIN_TIMEOUT. Records that arrive are not handled."""
        deadline = time.monotonic() + limits.JOIN_TIMEOUT
        while self.joining and time.monotonic() < deadline:
            poll(_POLL_TIMEOUT)


def unmask_callback_error(error: Exception, callback_error: Exception | None) -> Exception:
    """Give the callback's error if confluent-kafka has replaced it with a SystemError, otherwise `error`."""
    return callback_error if callback_error is not None and isinstance(error, SystemError) else error
