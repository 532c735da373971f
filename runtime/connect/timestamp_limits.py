"""Which timestamps the output topic takes: Kafka compares a record's with the broker's clock when it is appended."""

import time
from collections.abc import Mapping

UNLIMITED = 2**63 - 1
"""Kafka's number for no limit, in milliseconds."""

BEFORE, AFTER = "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"
"""The settings: how much older, and how much newer, than the broker's clock a timestamp may be."""

_FIRST_MARGIN = 60_000


class TimestampLimits:
    """The range of timestamps, in ms, that the topic takes now; `oldest` and `newest` are part of it.

    Clocks differ, and a record is appended later than it is judged. So a margin is kept: a minute at first (a quarter
    of the limit if that is shorter), and twice as much after each time that the broker refuses a record all the same.

    Args:
        config: the topic's settings.
    """

    def __init__(self, config: Mapping[str, str]) -> None:
        is_free = config.get("message.timestamp.type") == "LogAppendTime"
        self._before, self._after = (UNLIMITED if is_free else int(config.get(x, UNLIMITED)) for x in (BEFORE, AFTER))
        self._widened = 0
        self.oldest, self.newest = 0, UNLIMITED

    def update(self, now: int | None = None) -> None:
        """Judge by the present time from now on, or by the one given, in milliseconds."""
        now = int(time.time() * 1000) if now is None else now
        self.oldest = now - self._before + self._margin(self._before)
        self.newest = now + self._after - self._margin(self._after)

    def refuses(self, timestamp: int) -> bool:
        """Whether the topic would refuse this timestamp; 0 stands for the time of producing."""
        return timestamp > 0 and not self.oldest <= timestamp <= self.newest

    def widen_margin(self) -> bool:
        """Keep twice the margin; False if nothing is left between the margin and a limit, or if there is no limit."""
        limits = [limit for limit in (self._before, self._after) if limit != UNLIMITED]
        if all(self._margin(limit) == limit for limit in limits):
            return False
        self._widened += 1
        self.update()
        return True

    def _margin(self, limit: int) -> int:
        return 0 if limit == UNLIMITED else min(limit, min(_FIRST_MARGIN, limit // 4 + 1) << self._widened)
