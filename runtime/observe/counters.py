"""How many records came in, and how many of them malformed, with a warning now and then."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from loguru import logger

from runtime import limits
from transforms import Reason


@dataclass
class _Pending:
    """What has not been warned of yet: how many, and where the latest of them is."""

    count: int
    partition: int
    offset: int


class Totals:
    """Counts records, and warns of each reason at most every limits.WARN_INTERVAL seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.committed = 0
        """Records whose output is committed; at-least-once: acknowledged."""
        self.uncommitted = 0
        """Records taken since."""
        self._by_reason: Counter[Reason] = Counter()
        self._uncommitted: dict[Reason, _Pending] = {}
        self._pending: dict[Reason, _Pending] = {}
        self._clock = clock
        self._warned: dict[Reason, float] = {}

    def commit(self) -> None:
        """Count all that has been taken as committed."""
        self.committed += self.uncommitted
        for reason, found in self._uncommitted.items():
            self._by_reason[reason] += found.count
            earlier = self._pending.get(reason)
            self._pending[reason] = replace(found, count=found.count + (earlier.count if earlier else 0))
        self.discard()

    def discard(self) -> None:
        """Forget what has been taken since the last commit: it is given up, and will be taken again."""
        self.uncommitted = 0
        self._uncommitted.clear()

    def count(self, reason: Reason, partition: int, offset: int) -> None:
        """Count one malformed record."""
        found = self._uncommitted.get(reason)
        if found is None:
            self._uncommitted[reason] = _Pending(1, partition, offset)
        else:
            found.count += 1
            found.partition, found.offset = partition, offset

    def warn(self, *, all_of_them: bool = False) -> None:
        """Log what has been counted since the last warning of each reason, where that is long enough ago."""
        if not self._pending:
            return
        now = self._clock()
        for reason, pending in list(self._pending.items()):
            if all_of_them or now - self._warned.get(reason, -limits.WARN_INTERVAL) >= limits.WARN_INTERVAL:
                del self._pending[reason]
                self._warned[reason] = now
                logger.warning(  # by name, so that a line of JSON has them as members
                    "{count} malformed since the last such line: {reason}, "
                    "for example partition {partition} offset {offset}",
                    reason=reason,
                    **asdict(pending),
                )

    def __str__(self) -> str:
        found = self._by_reason + Counter({reason: one.count for reason, one in self._uncommitted.items()})
        by_reason = ", ".join(f"{reason} {count}" for reason, count in found.most_common())
        records = f"{self.committed + self.uncommitted} in, {self.committed} out, {found.total()} malformed"
        return f"{records} ({by_reason})" if found else records
