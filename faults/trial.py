"""One row's stage: a cluster, two topics, the load, the workers and both checks; what happens there is the row's."""

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from confluent_kafka.admin import AdminClient, NewTopic

from faults.audit import Audit, AuditFailed
from faults.idcheck import LOGINS, Counts, IdCheck, percentile
from faults.load_process import LoadProcess
from faults.plan import Plan
from faults.reader import Reader
from faults.records import record
from faults.report import Goal, Report
from faults.workers import PIPELINE, Crew
from tools.broker.cluster import Cluster

SOURCE, TARGET, GROUP = "user-login", "processed-user-login", "user-login-pipeline"
PARTITIONS = 4
PATIENCE = 180.0
"""Seconds after which what is awaited counts as never to come, however slow the machine."""

NAMED = {"INSTANCE_ID": "worker-{slot}"}
"""Each worker has a name that it keeps, as in a StatefulSet."""
NAMELESS = {"INSTANCE_ID": ""}

_TICK = 0.05  # seconds
_ROOM = {"log.retention.ms": "-1", "log.segment.bytes": "268435456"}


class Trial:
    """All that runs for one row; leaving the `with` block ends it and removes what it wrote.

    Args:
        plan: the run.
        nodes: of the cluster.
        properties: Kafka's own settings.
        command: what a worker is, `pipeline.py` where not given.
        proxied_listener: as of the cluster.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        nodes: int = 1,
        properties: Mapping[str, str] | None = None,
        command: Sequence[str] = PIPELINE,
        proxied_listener: tuple[int, int] | list[tuple[int, int]] | None = None,
    ) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.folder = Path(tempfile.mkdtemp(prefix="user-login-faults-"))
        self.cluster = Cluster(nodes, {**_ROOM, **(properties or {})}, proxied_listener, plan.jvm)
        self.partitions = list(range(PARTITIONS))
        self.sent: dict[int, int] = {}
        self.faults: dict[str, int] = {}
        self.begin = time.monotonic()
        self._command = command
        self._loads: list[LoadProcess] = []
        self._follow: Audit | None = None
        self.crew: Crew
        self.reader: Reader

    def __enter__(self) -> Self:
        try:
            self.cluster.start()
            self.admin = AdminClient({"bootstrap.servers": self.cluster.address, "log_level": 0})
            topics = [NewTopic(name, len(self.partitions), -1) for name in (SOURCE, TARGET)]
            for future in self.admin.create_topics(topics).values():
                future.result(30)
            check = IdCheck(self.plan.seed, self.partitions)
            self.reader = Reader(self.cluster.address, TARGET, self.partitions, check)
            self.crew = Crew(self.settings(), self.folder, self._command)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for load in self._loads:
            load.close()
        if self._follow:
            self._follow.close()
        if hasattr(self, "crew"):
            self.crew.close()
        if hasattr(self, "reader"):
            self.reader.close()
        self.cluster.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def settings(self) -> dict[str, object]:
        """The workers' settings, by the names of their variables."""
        own = {"Quix__Broker__Address": self.cluster.address, "Quix__Consumer_Group": GROUP}
        return {**own, "input": SOURCE, "output": TARGET, "AUTO_CREATE_TOPICS": "false", **NAMED, **self.plan.settings}

    def load(self, *, count: int = 0, partitions: Sequence[int] | None = None, **other: float | str) -> None:
        """Start to send: to all partitions at the plan's rate, without end, where nothing else is said.

        Args:
            count: of records; 0 for no end.
            partitions: where to.
            other: further options of faults.load.
        """
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
        where = {"address": self.cluster.address, "topic": SOURCE}
        self._loads.append(
            LoadProcess(places, {**where, **options, **other}, self.folder / f"load-{len(self._loads)}.log")
        )

    def follow(self) -> None:
        """Start tools.verify beside it all."""
        if self.plan.audit:
            self._follow = Audit(self._audited, self.folder, "--follow")

    def end_load(self) -> None:
        """Stop sending, and learn what was sent.

        Raises:
            AssertionError: the load has failed, which says nothing about the pipeline.
        """
        for load in self._loads:
            self.sent |= load.end()
        self._loads.clear()

    def fault(self, kind: str, *, resume: bool = True) -> None:
        """Count a fault that happens now; by default, the time until output resumes is taken from here."""
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if resume:
            self.reader.mark()

    def wait(self, seconds: float) -> None:
        """Let it run, minding the workers."""
        self.until(lambda: False, seconds)

    def until(self, condition: Callable[[], object], timeout: float) -> bool:
        """Let it run until a condition holds, and say whether it did in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.crew.supervise()
            time.sleep(_TICK)
        return True

    def wait_for_output(self, timeout: float = PATIENCE) -> None:
        """Wait until every partition's output flows.

        Raises:
            AssertionError: it does not.
        """
        before = self.reader.check.progress
        moves = self.until(lambda: all(self.reader.check.progress[n] > before[n] for n in self.partitions), timeout)
        assert moves, f"no output within {timeout:.0f} s; {[worker.last_line() for worker in self.crew.workers]}"

    def say(self, text: str) -> None:
        """Print how far it has come."""
        counts = self.reader.check.counts
        bad = f"duplicated {counts.duplicated}, reordered {counts.reordered}, wrong {counts.wrong}"
        exits = dict(self.crew.exits) or "no"
        self.plan.say(
            f"{time.monotonic() - self.begin:6.0f} s  {text}; {counts.checked:,} records, {bad}; {exits} exits"
        )

    def finish(self) -> Counts:
        """End the load, let the workers process what is left and stop them; the counts by id."""
        self.end_load()
        self.until(lambda: not self.reader.check.waiting_for(self.sent), PATIENCE)
        self.crew.stop()
        self.wait(1.0)  # for what may be too many
        return self.reader.check.final_counts(self.sent)

    def report(self, row: str, title: str, *, ends: Collection[int] = (), stops: Collection[int] = (0,)) -> Report:
        """Finish, audit, and put together what every row reports; the row's own goals come on top.

        Args:
            row: its number.
            title: what it does.
            ends: the exit codes that the row's faults call for.
            stops: those of workers that were asked to stop.
        """
        ids = self.finish()
        report = Report(row, title, "", self.plan.seed, ids=ids)
        report.faults.update(self.faults)
        check = self.reader.check
        report.longest_stall, report.resume_p99 = check.longest_stall, percentile(check.resumed, 0.99)
        report.resume_most = max(check.resumed, default=0.0)
        report.exits = {str(code): count for code, count in self.crew.exits.items()}
        reasons = Counter(self.crew.reasons).most_common(5)
        report.notes += check.examples + [f"{count} x {reason}" for reason, count in reasons]
        report.seconds = time.monotonic() - self.begin
        self._audit(report)
        exactly_once = self.crew.environment.get("PROCESSING_GUARANTEE", "exactly-once") == "exactly-once"
        bad = ["lost", "reordered", "wrong", *(["duplicated"] if exactly_once else [])]
        report.goals += [Goal(f"{name} by id", getattr(ids, name), 0) for name in bad]
        for name, found in report.audits.items():
            total = found["total"]
            report.goals.append(Goal(f"{', '.join(bad)} ({name})", sum(total[key] for key in bad), 0))
            report.goals.append(Goal(f"not processed ({name})", total["pending"], 0))
            if exactly_once:
                report.goals.append(Goal(f"not found right ({name})", not found["ok"], 0))
            if not self.plan.last:
                unseen = abs(total["checked"] - ids.checked) + total["skipped"]
                report.goals.append(Goal(f"not checked ({name})", unseen, 0))
        report.goals.append(Goal("duplicated without a fault", check.unexplained, 0))
        unasked = sum(count for code, count in self.crew.exits.items() if code not in ends)
        called_for = f" but for exits with {', '.join(map(str, sorted(ends)))}" if ends else ""
        report.goals.append(Goal(f"workers that ended unasked{called_for}", unasked, 0))
        odd = sum(code not in stops for code, _ in self.crew.stopped)
        report.goals.append(Goal(f"asked to stop, ended with another code than {', '.join(map(str, stops))}", odd, 0))
        report.goals.append(Goal("workers that showed a stack trace", self._stack_traces(), 0))
        report.goals.append(Goal("faults never recovered from", check.open_faults, 0))
        return report

    @property
    def _audited(self) -> dict[str, str]:
        """What tools.verify goes by: the workers' settings, without a proxy."""
        return self.crew.environment | NAMELESS | {"Quix__Broker__Address": self.cluster.address}

    def _stack_traces(self) -> int:
        if self.crew.environment.get("LOG_LEVEL") == "DEBUG":  # it shows where each error came from
            return 0
        return sum(b"Traceback" in log.read_bytes() for log in self.folder.glob("worker-*.log"))

    def _audit(self, report: Report) -> None:
        if not self.plan.audit:
            return
        try:
            if self._follow:
                report.audits["along"] = self._follow.verdict()
            options = ("--last", str(self.plan.last)) if self.plan.last else ()
            report.audits["at the end"] = Audit(self._audited, self.folder, *options).verdict()
        except AuditFailed as error:
            report.goals.append(Goal(str(error), 1, 0))
