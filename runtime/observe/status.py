"""The state of a worker: its counts, progress and health, and the members of /status.json."""

import ssl
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import confluent_kafka
import quixstreams

from runtime import __version__
from runtime.observe.counters import Place, Share, Totals
from runtime.observe.health import Health
from runtime.observe.http_server import Page
from runtime.observe.statistics import ProducerQueue, Progress


class Status:
    """What is known of a worker; the log, /metrics and /status.json take their figures from here.

    Args:
        names: the members `input`, `output`, `group` and `client`.
        settings: the settings in force, secrets masked.
    """

    def __init__(self, names: Mapping[str, str], settings: Mapping[str, object]) -> None:
        self.totals = Totals()
        self.progress = Progress()
        self.queue = ProducerQueue()
        self.health = Health(self.progress.problems)
        self.settings = {name: str(value) for name, value in settings.items()}
        self.versions = {
            "version": __version__,
            "quixstreams": quixstreams.__version__,
            "librdkafka": confluent_kafka.libversion()[0],
            "openssl": ssl.OPENSSL_VERSION,
        }
        self._names = names
        self._started = time.time()

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

    def served(self, host: str, port: int) -> AbstractContextManager[None]:
        """Serve all pages while the block runs, as `Health.served` does."""
        return self.health.served(host, port, self._pages)

    def _pages(self) -> Mapping[str, Page]:
        from runtime.observe.pages import pages  # noqa: PLC0415  (without a port, nothing needs prometheus_client)

        return pages(self)

    def document(self) -> dict[str, Any]:
        """Give the members of /status.json."""
        totals, problems = self.totals, self.health.ready()
        version, *libraries = self.versions.items()
        return {
            **dict([version]),
            "state": (self.health.live() or [self.progress.state()])[0],
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
            "versions": dict(libraries),
            "settings": self.settings,
        }
