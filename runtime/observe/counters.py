"""Counts input records and malformed ones, warns of the latter at intervals, and reports the totals."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from loguru import logger

from runtime import limits
from transforms import Reason


@dataclass
class _Pending:
    """Malformed records that no warning has mentioned yet: their number, and the latest one."""

    count: int
    topic: str
    partition: int
    offset: int

    def describe(self, reason: Reason) -> str:
        """The warning's text."""
        records = "record" if self.count == 1 else "records"
        return f"{self.count} malformed {records} ({reason}), latest at {self.topic}[{self.partition}]@{self.offset}"


class Totals:
    """Counts records; warns of each reason and reports the totals at intervals.

    Args:
        clock: seconds, monotonic.
        now: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self.committed = 0
        """Records whose output is committed; with at-least-once, acknowledged."""
        self.uncommitted = 0
        """Records handled since the last commit."""
        self._by_reason: Counter[Reason] = Counter()
        self._uncommitted: dict[Reason, _Pending] = {}
        self._pending: dict[Reason, _Pending] = {}
        self._clock, self._now = clock, now
        self._warned: dict[Reason, float] = {}
        self._reported = clock()

    def commit(self) -> None:
        """Count all handled records as committed."""
        self.committed += self.uncommitted
        for reason, latest in self._uncommitted.items():
            self._by_reason[reason] += latest.count
            earlier = self._pending.get(reason)
            self._pending[reason] = replace(latest, count=latest.count + (earlier.count if earlier else 0))
        self.discard()

    def discard(self) -> None:
        """Forget the records since the last commit: the transaction was aborted, and they will be read again."""
        self.uncommitted = 0
        self._uncommitted.clear()

    def count(self, reason: Reason, topic: str, partition: int, offset: int) -> None:
        """Count one malformed record."""
        earlier = self._uncommitted.get(reason)
        self._uncommitted[reason] = _Pending(earlier.count + 1 if earlier else 1, topic, partition, offset)

    def warn(self, *, all_of_them: bool = False) -> None:
        """Log the malformed records since the last warning of each reason, if limits.WARN_INTERVAL has passed.

        Args:
            all_of_them: log them even if it has not.
        """
        if not self._pending:
            return
        now = self._clock()
        for reason, pending in list(self._pending.items()):
            if all_of_them or now - self._warned.get(reason, -limits.WARN_INTERVAL) >= limits.WARN_INTERVAL:
                del self._pending[reason]
                self._warned[reason] = now
                in_json = {"reason": reason, **asdict(pending)}
                logger.bind(**in_json).warning("{}", pending.describe(reason))

    def is_report_due(self) -> bool:
        """Whether limits.REPORT_INTERVAL has passed since the last report, or since the start."""
        return self._clock() - self._reported >= limits.REPORT_INTERVAL

    def report(self, partitions: int, lag: int, newest: int) -> None:
        """Log the totals, the lag, and how old the newest record handled is.

        Args:
            partitions: the number of this worker's partitions.
            lag: the number of their records that are not committed.
            newest: the timestamp of that record, in milliseconds; 0 or less if it is not known.
        """
        self._reported = self._clock()
        members, age = {**self.members(), "partitions": partitions, "lag": lag}, ""
        if newest > 0:
            members["age"] = round(self._now() - newest / 1000, 1)
            age = f", newest record {members['age']} s old"
        place = "1 partition" if partitions == 1 else f"{partitions} partitions"
        logger.bind(**members).info("running: {}; {}, lag {}{}", self, place, lag, age)

    def members(self) -> dict[str, Any]:
        """The totals as members of a JSON line."""
        by_reason = self._by_reason + Counter({reason: one.count for reason, one in self._uncommitted.items()})
        malformed = {str(reason): count for reason, count in by_reason.most_common()}
        return {"in": self.committed + self.uncommitted, "out": self.committed, "malformed": malformed}

    def __str__(self) -> str:
        totals = self.members()
        malformed = totals["malformed"]
        reasons = ", ".join(f"{reason} {count}" for reason, count in malformed.items())
        records = f"{totals['in']} in, {totals['out']} out, {sum(malformed.values())} malformed"
        return f"{records} ({reasons})" if reasons else records
