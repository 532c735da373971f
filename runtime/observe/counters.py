"""Counts what the loop does, per batch or checkpoint. Warns of malformed records, and reports the totals."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from loguru import logger

from runtime import limits
from runtime.observe.distribution import Distribution
from runtime.observe.recent import LATENCY_BOUNDS, Recent
from transforms import Reason

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_RECORDS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)

Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass
class Share:
    """The records of one partition in a batch."""

    records: int
    oldest: int
    """The timestamp of the first, in milliseconds (0 or less if it is not known)."""
    newest: int
    """The timestamp of the last."""
    next_offset: int


@dataclass
class ReasonCount:
    """The malformed records of one reason: their number, and the latest one."""

    count: int
    topic: str
    partition: int
    offset: int

    @property
    def latest(self) -> str:
        """The place of the latest one."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def after(self, earlier: "ReasonCount | None") -> "ReasonCount":
        """Add those that were counted earlier."""
        return replace(self, count=self.count + (earlier.count if earlier else 0))


class Amount:
    """A number of records or bytes. Those since the last commit may have to be processed again."""

    def __init__(self) -> None:
        self.committed = 0
        self.uncommitted = 0
        self._most = 0

    @property
    def total(self) -> int:
        """All of them, each counted once, even if it is processed again."""
        return max(self._most, self.committed + self.uncommitted)

    def commit(self) -> None:
        """Count all as committed."""
        self.committed += self.uncommitted
        self.uncommitted = 0

    def discard(self) -> None:
        """Expect those since the last commit again."""
        self._most = self.total
        self.uncommitted = 0


class Totals:
    """Counts since the start. Warns of each reason, and reports the totals, at intervals.

    Args:
        clock: seconds, monotonic.
        now: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self.records = Amount()
        """Records handled. Committed are those whose output is committed (with at-least-once, acknowledged)."""
        self.bytes_in = Amount()
        """The size of their values."""
        self.dead_letters = Amount()
        self.bytes_out = 0
        """The size of the values in the output, committed."""
        self.sent: Callable[[], int] = int
        """Gives the size of all values that were produced, whether committed or not. runtime/loop/sink.py sets it."""
        self.malformed: dict[Reason, ReasonCount] = {}
        """By reason, in the committed output."""
        self.newest = 0
        """The newest timestamp of the last batch, in milliseconds, as far as each partition's last record shows."""
        self.batch_records = Distribution(_RECORDS)
        self.latency = Distribution(LATENCY_BOUNDS)
        self.checkpoint_records = Distribution(_RECORDS)
        self.checkpoint_seconds = Distribution(_SECONDS)
        self.checkpoint_failures = 0
        self.last_checkpoint: tuple[int, float, float] | None = None
        """Its records, its duration in seconds, and when it ended, by the clock."""
        self.producers_started = 0
        self.rebalances = 0
        self.expired: Counter[Place] = Counter()
        """By topic and partition, the records that expired unread."""
        self.recent = Recent(clock, now)
        self.clock, self.now = clock, now
        self._sent_before = 0
        self._shares: list[Share] = []
        self._uncommitted: dict[Reason, ReasonCount] = {}
        self._pending: dict[Reason, ReasonCount] = {}
        self._warned: dict[Reason, float] = {}
        self._reported = clock()

    def handle(self, shares: Mapping[Place, Share], size: int) -> None:
        """Count a batch.

        Args:
            shares: its records by partition.
            size: the size of their values.
        """
        before = self.records.total
        count = sum(share.records for share in shares.values())
        self.records.uncommitted += count
        self.bytes_in.uncommitted += size
        self._shares += shares.values()
        self.newest = max((share.newest for share in shares.values()), default=self.newest)
        self.batch_records.add(count)
        self.recent.slot.records_in += self.records.total - before

    def commit(self, seconds: float = 0.0) -> None:
        """Count all handled records as committed.

        Args:
            seconds: how long that took.
        """
        count, slot, now = self.records.uncommitted, self.recent.slot, self.now()
        self.checkpoint_records.add(count)
        self.checkpoint_seconds.add(seconds)
        self.last_checkpoint = (count, seconds, self.clock())
        slot.records_out += count
        for share in self._shares:
            if share.oldest > 0:
                for distribution in (self.latency, slot.latency):
                    distribution.add(max(0.0, now - share.oldest / 1000), share.records)
        for reason, latest in self._uncommitted.items():
            self.malformed[reason] = latest.after(self.malformed.get(reason))
            self._pending[reason] = latest.after(self._pending.get(reason))
        for amount in (self.records, self.bytes_in, self.dead_letters):
            amount.commit()
        self.bytes_out += self.sent() - self._sent_before
        self._forget()

    def discard(self) -> None:
        """Count a failed checkpoint: the transaction was aborted, and its records will be read again."""
        self.checkpoint_failures += 1
        for amount in (self.records, self.bytes_in, self.dead_letters):
            amount.discard()
        self._forget()

    def _forget(self) -> None:
        self._sent_before = self.sent()
        self._shares.clear()
        self._uncommitted.clear()

    def count(self, reason: Reason, topic: str, partition: int, offset: int) -> None:
        """Count one malformed record."""
        self._uncommitted[reason] = ReasonCount(1, topic, partition, offset).after(self._uncommitted.get(reason))

    def warn(self, *, all_of_them: bool = False) -> None:
        """Log the malformed records since the last warning of each reason, if limits.WARN_INTERVAL has passed.

        Args:
            all_of_them: log them even if it has not.
        """
        if not self._pending:
            return
        now = self.clock()
        for reason, pending in list(self._pending.items()):
            if all_of_them or now - self._warned.get(reason, -limits.WARN_INTERVAL) >= limits.WARN_INTERVAL:
                del self._pending[reason]
                self._warned[reason] = now
                records = "record" if pending.count == 1 else "records"
                logger.bind(reason=reason, **asdict(pending)).warning(
                    "{} malformed {} ({}), latest at {}", pending.count, records, reason, pending.latest
                )

    def is_report_due(self) -> bool:
        """Whether limits.REPORT_INTERVAL has passed since the last report, or since the start."""
        return self.clock() - self._reported >= limits.REPORT_INTERVAL

    def report(self, lags: list[int]) -> None:
        """Log the totals, the lag, and how old the newest record handled is.

        Args:
            lags: by partition of this worker, the number of records that are not handled yet.
        """
        self._reported = self.clock()
        members, age = {**self.members(), "partitions": len(lags), "lag": sum(lags)}, ""
        if (newest := self.newest_age()) is not None:
            members["age"] = round(newest, 1)
            age = f", newest record {members['age']} s old"
        place = "1 partition" if len(lags) == 1 else f"{len(lags)} partitions"
        logger.bind(**members).info("running: {}; {}, lag {}{}", self, place, sum(lags), age)

    def malformed_by_reason(self) -> list[tuple[Reason, ReasonCount]]:
        """Give the counts in the committed output, the highest one first."""
        return sorted(dict(self.malformed).items(), key=lambda item: -item[1].count)

    @property
    def producers_replaced(self) -> int:
        """Producers after the first one."""
        return max(0, self.producers_started - 1)

    def checkpoints(self) -> dict[str, float | None]:
        """Give the numbers of checkpoints and failed ones, and the last one's records, seconds and seconds since."""
        records, seconds, ended = self.last_checkpoint or (None, None, None)
        return {
            "count": self.checkpoint_seconds.count,
            "failures": self.checkpoint_failures,
            "records": records,
            "seconds": seconds,
            "age": None if ended is None else self.clock() - ended,
        }

    def newest_age(self) -> float | None:
        """Give the age of the newest record handled, in seconds, or None if it is not known."""
        return self.now() - self.newest / 1000 if self.newest > 0 else None

    def members(self) -> dict[str, Any]:
        """The totals as members of a JSON line."""
        by_reason = Counter({reason: one.count for reason, one in self.malformed.items()}) + Counter(
            {reason: one.count for reason, one in self._uncommitted.items()}
        )
        malformed = {str(reason): count for reason, count in by_reason.most_common()}
        return {"in": self.records.total, "out": self.records.committed, "malformed": malformed}

    def __str__(self) -> str:
        totals = self.members()
        malformed = totals["malformed"]
        reasons = ", ".join(f"{reason} {count}" for reason, count in malformed.items())
        records = f"{totals['in']} in, {totals['out']} out, {sum(malformed.values())} malformed"
        return f"{records} ({reasons})" if reasons else records
