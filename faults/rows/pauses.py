"""Rows 5 and 11: a worker frozen (SIGSTOP), and a broker frozen while there is a backlog."""

import signal
import time

from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import PATIENCE, WORKERS, Trial
from tools.process_state import usage

PAUSES = (5.0, 30.0, 50.0, 70.0)
"""Seconds for which a worker is frozen."""
MOST_MEMORY = 256.0
"""MiB that a worker may hold while the broker is frozen."""

_FROZEN = (2.0, 10.0, 20.0)  # seconds
_BACKLOG = 200_000
_PADS = (0, 1000)  # bytes; the latter compress to a hundredth
_LOST_AFTER = 20.0  # seconds: the group removes a worker after 17 (COMMIT_INTERVAL and 16)


def workers(plan: Plan) -> RowReport:
    """Row 5; `count` times each pause."""
    survivors = 0
    with Trial(plan) as trial:
        trial.start()
        for _ in trial.rounds("of each pause"):
            for seconds in PAUSES:
                survivors += not _freeze(trial, seconds * plan.pace)
        report = conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)
    report.goals.append(Limit("workers that did not exit though they had lost their partitions", survivors, 0))
    return report


def _freeze(trial: Trial, seconds: float) -> bool:
    """Freeze a worker; return whether it exited afterwards, if it was frozen long enough to lose its partitions."""
    trial.wait_for_workers(WORKERS)
    trial.wait(trial.random.uniform(1.0, 3.0))
    worker = trial.random.choice(trial.pool.alive())
    worker.send(signal.SIGSTOP)
    trial.fault(f"SIGSTOP for {seconds:g} s")
    trial.wait(seconds)
    worker.send(signal.SIGCONT)
    trial.wait(1.0)
    stops = seconds < _LOST_AFTER or trial.until(lambda: not worker.running, PATIENCE)
    trial.until(lambda: not trial.reader.check.open_faults, PATIENCE)
    return stops


def broker(plan: Plan) -> RowReport:
    """Row 11; each time a new worker starts on a backlog, and the broker freezes before it is processed."""
    peak, too_late, resumed = 0.0, 0, []

    def is_done(trial: Trial) -> bool:
        nonlocal peak
        peak = max(peak, _peak(trial))
        return not trial.reader.check.waiting_for(trial.sent)

    with Trial(plan, properties={"broker.session.timeout.ms": "60000"}) as trial:
        trial.follow()
        for number in trial.rounds("freezes"):
            trial.load(count=_BACKLOG, rate=0, pad=_PADS[number % len(_PADS)])
            trial.end_load()
            before = trial.reader.check.counts.checked
            trial.pool.start()
            trial.wait_for(lambda: trial.reader.check.counts.checked > before, "output")  # noqa: B023
            frozen = _FROZEN[number % len(_FROZEN)]
            trial.cluster.nodes[0].pause()
            trial.fault(f"SIGSTOP of the broker for {frozen:g} s", resume=False)
            too_late += trial.until(lambda: is_done(trial), frozen)
            trial.cluster.nodes[0].resume()
            begin = time.monotonic()
            trial.wait_for(lambda: is_done(trial), "the rest of the backlog")
            resumed.append(time.monotonic() - begin)
            trial.pool.stop()
        report = conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)
    report.figures |= {"peak memory, MiB": peak, "backlog processed after the freeze, s at most": max(resumed)}
    report.goals.append(Limit("peak memory, MiB", peak, MOST_MEMORY))
    report.goals.append(Limit("freezes after the backlog was processed", too_late, 0))
    report.longest_stall = 0.0  # nothing is sent between two backlogs
    return report


def _peak(trial: Trial) -> float:
    """The peak memory of any worker so far, in MiB."""
    found = [usage(worker.process.pid) for worker in trial.pool.workers]
    return max((each.peak for each in found if each), default=0) / (1 << 20)
