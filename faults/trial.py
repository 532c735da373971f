"""What every row runs on: a cluster, two topics, the load, the workers and both checks."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self

from confluent_kafka.admin import AdminClient, NewTopic

from faults.audit import Audit
from faults.broker_admin import in_sync, with_partitions
from faults.idcheck import DEAD_LETTERS, LOGINS, Counts
from faults.load_process import LoadProcess
from faults.plan import Plan
from faults.reader import CheckedReader
from faults.records import record
from faults.workers import PIPELINE, WorkerPool
from tools.broker.cluster import Cluster
from tools.waiting import wait_until

SOURCE, TARGET, GROUP = "user-login", "processed-user-login", "user-login-pipeline"
PARTITIONS = 4
WORKERS = 3
"""How many workers a row has, unless it says otherwise."""
PATIENCE = 180.0
"""Seconds after which a wait has failed, however slow the machine."""

WITH_INSTANCE_ID = {"INSTANCE_ID": "worker-{slot}"}
"""Each worker keeps its name when it is restarted, as in a StatefulSet."""
WITHOUT_INSTANCE_ID = {"INSTANCE_ID": ""}

_TICK = 0.05  # seconds
_NO_RETENTION = {"log.retention.ms": "-1", "log.segment.bytes": "268435456"}


class Trial:
    """Everything that runs for one row. Leaving the `with` block ends it and removes its files.

    Args:
        plan: the run.
        nodes: how many brokers the cluster has.
        properties: Kafka's own settings.
        command: a worker's command line after `python`.
        proxied_listeners: as for the cluster.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        nodes: int = 1,
        properties: Mapping[str, str] | None = None,
        command: Sequence[str] = PIPELINE,
        proxied_listeners: Sequence[tuple[int, int]] = (),
    ) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.folder = Path(tempfile.mkdtemp(prefix="user-login-faults-"))
        self.cluster = Cluster(nodes, {**_NO_RETENTION, **(properties or {})}, proxied_listeners, plan.jvm)
        self.partitions = list(range(PARTITIONS))
        self.sent: dict[int, int] = {}
        self.faults: dict[str, int] = {}
        self._begin = time.monotonic()
        self._command = command
        self._loads: list[LoadProcess] = []
        self.follower: Audit | None = None
        """tools.verify with `--follow`."""
        self.pool: WorkerPool
        self.reader: CheckedReader
        self.dead_letter_reader: CheckedReader | None = None
        """Reads the dead-letter topic, if the plan's settings name one."""

    def __enter__(self) -> Self:
        try:
            self.cluster.start()
            address, seed = self.cluster.address, self.plan.seed
            self.admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
            self.in_sync = partial(in_sync, address)
            dead_letter = str(self.plan.settings.get("dead_letter", ""))
            topics = [NewTopic(name, len(self.partitions), -1) for name in (SOURCE, TARGET, dead_letter) if name]
            for future in self.admin.create_topics(topics).values():
                future.result(30)
            self.reader = CheckedReader(address, TARGET, self.partitions, seed)
            if dead_letter:
                self.dead_letter_reader = CheckedReader(address, dead_letter, self.partitions, seed, DEAD_LETTERS)
            self.pool = WorkerPool(self.settings(), self.folder, self._command)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for load in self._loads:
            load.close()
        for name in ("follower", "pool", "reader", "dead_letter_reader"):
            if part := getattr(self, name, None):
                part.close()
        self.cluster.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def settings(self) -> dict[str, object]:
        """The workers' settings, by the names of their variables."""
        own = {"Quix__Broker__Address": self.cluster.address, "Quix__Consumer_Group": GROUP, "input": SOURCE}
        return {**own, "output": TARGET, "AUTO_CREATE_TOPICS": "false", **WITH_INSTANCE_ID, **self.plan.settings}

    def start(self, workers: int = WORKERS) -> None:
        """Start this many workers, the load and tools.verify, and wait until every partition has output."""
        self.pool.start(workers)
        self.load()
        self.follow()
        self.wait_for_output()

    def load(self, *, count: int = 0, partitions: Sequence[int] | None = None, **other: float | str) -> None:
        """Start to send, by default to all partitions, at the plan's rate, without end. `other` are faults.load's."""
        places = partitions or self.partitions
        if "pad" in other:
            padded = partial(record, pad=int(other["pad"]), noisy=other.get("kind") == "noisy")
            self.reader.check.judge = LOGINS._replace(record=padded)
        options = {
            "rate": self.plan.rate,
            "every": self.plan.every,
            "count": count,
            "seed": self.plan.seed,
            "first": [self.sent.get(place, 0) for place in places],
        }
        options |= {"address": self.cluster.address, "topic": SOURCE, "partitions": list(places), **other}
        self._loads.append(LoadProcess(options, self.folder / f"load-{len(self._loads)}.log"))

    def follow(self) -> None:
        """Start tools.verify with `--follow`."""
        if self.plan.audit:
            self.follower = Audit(self.audit_environment, self.folder, "--follow")

    def end_load(self) -> None:
        """Stop sending, and note what was sent.

        Raises:
            AssertionError: the load failed; the pipeline may be right.
        """
        for load in self._loads:
            self.sent |= load.end()
        self._loads.clear()

    def fault(self, kind: str, *, resume: bool = True) -> None:
        """Count a fault that happens now. With `resume`, the time until output resumes is measured from now."""
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if resume:
            self.reader.mark()

    def wait(self, seconds: float) -> None:
        """Let everything run for this long. Workers that exit are restarted."""
        self.until(lambda: False, seconds)

    def pause(self, least: float, most: float) -> None:
        """Wait for a random number of seconds between these two, times the plan's pace."""
        self.wait(self.random.uniform(least, most) * self.plan.pace)

    def until(self, condition: Callable[[], object], timeout: float) -> bool:
        """Let everything run until the condition holds. Return whether it did in time."""

        def is_met() -> object:
            self.pool.supervise()
            return condition()

        try:
            wait_until(is_met, "", timeout, _TICK)
        except TimeoutError:
            return False
        return True

    def wait_for(self, condition: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
        """Let everything run until the condition holds.

        Raises:
            AssertionError: it did not in time; with the last log line of each worker.
        """
        is_met = self.until(condition, timeout)
        assert is_met, f"waited {timeout:.0f} s for {what}; {[worker.last_line() for worker in self.pool.workers]}"

    def wait_for_output(self) -> None:
        """Wait until every partition has new output."""
        before = self.reader.check.progress
        self.wait_for(lambda: all(self.reader.check.progress[n] > before[n] for n in self.partitions), "output")

    def wait_until_resumed(self) -> None:
        """Wait until every partition has output that was written after the last fault."""
        self.wait_for(lambda: not self.reader.check.open_faults, "output after a fault")

    def wait_for_new_output(self) -> None:
        """Measure the time from now until every partition has new output."""
        self.reader.mark()
        self.wait_until_resumed()

    def wait_until_processed(self) -> None:
        """Wait until all that was sent is in the output."""
        self.wait_for(lambda: not self.reader.check.waiting_for(self.sent), "output of all that was sent")

    def wait_for_workers(self, count: int) -> None:
        """Wait until at least this many workers take records."""
        self.wait_for(lambda: len(self.pool.alive()) >= count, f"{count} workers")

    def wait_for_partitions(self, count: int) -> None:
        """Wait until at least this many workers have partitions."""
        self.wait_for_workers(count)
        self.wait_for(lambda: with_partitions(self.admin, GROUP) >= count, f"{count} workers with partitions")

    def during(self, action: Callable[[], object]) -> None:
        """Run an action that takes a while. Workers that exit meanwhile are restarted."""
        with ThreadPoolExecutor(1) as threads:
            done = threads.submit(action)
            self.wait_for(done.done, "a broker")
            done.result()

    def rounds(self, what: str) -> Iterator[int]:
        """Yield the number of each fault, from 0, and print the progress after each."""
        for number in range(self.plan.count):
            yield number
            self.say(f"{number + 1}/{self.plan.count} {what}")

    def say(self, text: str) -> None:
        """Print the progress so far."""
        counts = self.reader.check.counts
        bad = f"duplicated {counts.duplicated}, reordered {counts.reordered}, wrong {counts.wrong}"
        exits = dict(self.pool.exits) or "no"
        self.plan.say(f"{self.elapsed:6.0f} s  {text}; {counts.checked:,} records, {bad}; {exits} exits")

    def finish(self) -> Counts:
        """End the load, let the workers process the rest and stop them. Return the counts by id."""
        self.end_load()
        readers = [self.reader, *([self.dead_letter_reader] if self.dead_letter_reader else [])]
        self.until(lambda: not any(reader.check.waiting_for(self.sent) for reader in readers), PATIENCE)
        self.pool.stop()
        self.wait(1.0)  # for duplicates
        return self.reader.check.final_counts(self.sent)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begin

    @property
    def audit_environment(self) -> dict[str, str]:
        """The environment of tools.verify: that of the workers, without a proxy."""
        return self.pool.environment | WITHOUT_INSTANCE_ID | {"Quix__Broker__Address": self.cluster.address}
