"""The state of a worker: its counts, progress and health, and the members of /status.json."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

from runtime import __version__, limits
from runtime.observe.counters import Place, Share, Totals
from runtime.observe.health import Health
from runtime.observe.statistics import ProducerQueue, Progress
from runtime.observe.versions import versions


class Status:
    """What is known of a worker. The log, /metrics and /status.json take their figures from here.

    Args:
        names: the members `input`, `output`, `dead_letter`, `group` and `client`.
        settings: the settings in force, secrets masked.
    """

    def __init__(self, names: Mapping[str, str | None], settings: Mapping[str, object]) -> None:
        self.totals = Totals()
        self.progress = Progress()
        self.queue = ProducerQueue()
        self.health = Health(self.progress.problems)
        self.settings = {name: str(value) for name, value in settings.items()}
        self._names = names
        self._started = time.time()

    @property
    def has_dead_letters(self) -> bool:
        """Whether malformed records also go to a dead-letter topic."""
        return self._names.get("dead_letter") is not None

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """The versions of the libraries."""
        return versions()

    def watch(
        self,
        positions: Callable[[], Mapping[Place, int]],
        taken: Callable[[], Collection[int]],
        expired: Counter[Place],
    ) -> None:
        """Take further figures from the loop.

        Args:
            positions: gives the offset after the last handled record of each partition of this worker.
            taken: gives the partitions of records that the loop has taken and not handled.
            expired: the records that expired unread.
        """
        self.progress.positions, self.progress.taken, self.totals.expired = positions, taken, expired

    def iterate(self) -> None:
        """Note an iteration of the loop, and log what is due."""
        self.health.heartbeat()
        self.totals.warn()
        if self.totals.is_report_due():
            self.totals.report([state.lag_records for state in self.progress.partitions()])

    def handle(self, shares: Mapping[Place, Share], size: int) -> None:
        """Note a batch.

        Args:
            shares: its records by partition.
            size: the size of their values.
        """
        self.totals.handle(shares, size)
        self.progress.handle(shares)

    def document(self) -> dict[str, Any]:
        """Give the members of /status.json."""
        totals, problems = self.totals, self.health.ready()
        return {
            "version": __version__,
            "state": (self.health.hanging(limits.READY_TIMEOUT) or [self.progress.state()])[0],
            "ready": not problems,
            "problems": problems,
            **self._names,
            "started": round(self._started, 3),
            "now": round(time.time(), 3),
            "records_in": totals.records.total,
            "records_out": totals.records.committed,
            "rates": totals.recent.rates(),
            "partitions": [state._asdict() for state in self.progress.partitions()],
            "malformed": [
                {"reason": reason, "count": one.count, "latest": one.latest}
                for reason, one in totals.malformed_by_reason()
            ],
            "latency": totals.recent.latency(),
            "checkpoints": totals.checkpoints(),
            "producers_replaced": totals.producers_replaced,
            "rebalances": totals.rebalances,
            "versions": self.versions,
            "settings": self.settings,
        }
