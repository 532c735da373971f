"""Which timestamps the output topic accepts: the broker compares a record's timestamp with its clock."""

import time
from collections.abc import Mapping

from runtime.connect.topic_facts import number

UNLIMITED = 2**63 - 1
"""Kafka's value for no limit, in milliseconds."""

BEFORE, AFTER = "message.timestamp.before.max.ms", "message.timestamp.after.max.ms"
"""The topic settings: by how many milliseconds a timestamp may be older or newer than the broker's clock."""

_FIRST_MARGIN = 60_000  # milliseconds


class TimestampLimits:
    """The range of timestamps that the topic accepts now, from `oldest` to `newest`, inclusive, in milliseconds.

    Clocks differ, and a record is appended later than it is checked. So there is a margin: a minute at first, or a
    quarter of the limit if that is shorter. It doubles each time that the broker refuses a record anyway.

    Args:
        config: the topic's settings.
    """

    def __init__(self, config: Mapping[str, str]) -> None:
        is_unchecked = config.get("message.timestamp.type") == "LogAppendTime"
        self._before, self._after = (
            UNLIMITED if is_unchecked else number(config, x, UNLIMITED) for x in (BEFORE, AFTER)
        )
        self._widened = 0
        self.oldest, self.newest = 0, UNLIMITED

    def update(self, now: int | None = None) -> None:
        """Move the range to the current time, or to `now` (milliseconds since the epoch)."""
        now = int(time.time() * 1000) if now is None else now
        self.oldest = now - self._before + self._margin(self._before)
        self.newest = now + self._after - self._margin(self._after)

    def refuses(self, timestamp: int) -> bool:
        """Whether the topic would refuse this timestamp (milliseconds). 0 becomes the time of producing."""
        return timestamp > 0 and not self.oldest <= timestamp <= self.newest

    def widen_margin(self) -> bool:
        """Double the margin, or return False if it already equals the limits or if there is no limit."""
        limits = [limit for limit in (self._before, self._after) if limit != UNLIMITED]
        if all(self._margin(limit) == limit for limit in limits):
            return False
        self._widened += 1
        self.update()
        return True

    def _margin(self, limit: int) -> int:
        return 0 if limit == UNLIMITED else min(limit, min(_FIRST_MARGIN, limit // 4 + 1) << self._widened)
