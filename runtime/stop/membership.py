"""How the pipeline leaves its consumer group: not in the middle of joining it, and with the reason that it had."""

import time
from collections.abc import Callable

from runtime import limits

_POLL_FOR = 0.05  # seconds


class Membership:
    """Whether this worker is joining its group, or has been told its partitions.

    A worker that goes in the middle of it stays a member for the whole session, and no other gets a partition until
    then: the broker has its id, but reads nothing more from it before the rebalance has ended.
    """

    def __init__(self) -> None:
        self.joining = True

    def wait_until_joined(self, poll: Callable[[float], object]) -> None:
        """Poll until it has joined, at most limits.JOIN_TIMEOUT; records that arrive are not handled."""
        deadline = time.monotonic() + limits.JOIN_TIMEOUT
        while self.joining and time.monotonic() < deadline:
            poll(_POLL_FOR)


def unmask_callback_error(error: Exception, told: Exception | None) -> Exception:
    """What stopped it: confluent-kafka may lose what a callback of ours raised, and raises a SystemError instead."""
    return told if told is not None and isinstance(error, SystemError) else error
