"""Rows 1, 1b, 2, 5, 7 and 8: workers killed, frozen (SIGSTOP), added, removed and stopped (SIGTERM)."""

import signal
import time
from dataclasses import replace
from itertools import pairwise

from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.idcheck import percentile
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import PATIENCE, WITHOUT_INSTANCE_ID, WORKERS, Trial
from faults.workers import Worker

RESUME_WITHIN = 15.0
"""Seconds after a kill in which every partition must have output again, at p99."""
RESUME_WITHIN_WITHOUT_ID = 30.0
"""The same without an INSTANCE_ID: a killed worker is removed after 17 s, and its transaction ends after 25 s."""
FREEZES = (5.0, 30.0, 50.0, 70.0)
"""Seconds for which a worker is frozen."""
STALL = 15.0
"""Seconds without output that are allowed while workers are added and removed."""
STOP_WITHIN = 5.0
"""Seconds from SIGTERM to the end, at p99."""
GRACE = 57.0
"""Seconds from SIGTERM to the exit if the broker is away: the limit is 55, and the process takes a moment to end."""

_KILL_PAUSES, _LONG_PAUSES = (2.0, 15.0), (20.0, 40.0)  # seconds between two kills
_FULL_COUNT, _FULL_RECORDS = 300, 3_000_000
_INTERVAL, _BATCH = 1.0, 10_000  # COMMIT_INTERVAL's default in seconds; the most records taken at once
_LOST_AFTER = 20.0  # seconds of a freeze: the group removes a worker after 17 (COMMIT_INTERVAL and 16)
_UNAVAILABLE = 69
_SIZES = (4, 2, 1)
_EVERY = 10.0  # seconds between two changes of their number
_EARLY = 5.0  # seconds after the start


def exactly_once(plan: Plan) -> RowReport:
    """Row 1: exactly-once."""
    report = _kill(plan, "exactly-once")
    if plan.count >= _FULL_COUNT:
        report.goals.append(Limit("records short of 3 million", max(0, _FULL_RECORDS - report.ids.checked), 0))
    report.times.append(Limit("resume, s at p99", report.resume_p99, RESUME_WITHIN))
    return report


def without_instance_id(plan: Plan) -> RowReport:
    """Row 1b: no worker has an INSTANCE_ID, so others must take over a killed one's partitions, which takes longer."""
    report = _kill(replace(plan, settings={**plan.settings, **WITHOUT_INSTANCE_ID}), "exactly-once", _LONG_PAUSES)
    report.times.append(Limit("resume, s at p99", report.resume_p99, RESUME_WITHIN_WITHOUT_ID))
    return report


def at_least_once(plan: Plan) -> RowReport:
    """Row 2: at-least-once."""
    report = _kill(plan, "at-least-once")
    most = plan.rate * float(str(plan.settings.get("COMMIT_INTERVAL", _INTERVAL))) + _BATCH
    report.figures["duplicates per kill"] = report.ids.duplicated / max(1, report.done)
    worst = report.figures["duplicates between two kills, at most"]
    report.goals.append(Limit("duplicated between two kills: an interval's records and a batch", worst, most))
    return report


def _kill(plan: Plan, guarantee: str, pauses: tuple[float, float] = _KILL_PAUSES) -> RowReport:
    plan = replace(plan, settings={**plan.settings, "PROCESSING_GUARANTEE": guarantee})
    with Trial(plan) as trial:
        trial.start()
        counts, doubled = trial.reader.check.counts, [0]
        for _ in trial.rounds("kills"):
            trial.pause(*pauses)
            trial.wait_for_workers(1)
            doubled.append(counts.duplicated)
            trial.random.choice(trial.pool.alive()).kill()
            trial.fault("SIGKILL")
            trial.pool.start()
        trial.until(lambda: not trial.reader.check.open_faults, PATIENCE)
        report = conclude(trial)
    between = [after - before for before, after in pairwise([*doubled, counts.duplicated])]
    report.figures["duplicates between two kills, at most"] = max(between)
    return report


def frozen(plan: Plan) -> RowReport:
    """Row 5: `count` times each pause."""
    survivors = 0
    with Trial(plan) as trial:
        trial.start()
        for _ in trial.rounds("of each pause"):
            for seconds in FREEZES:
                survivors += not _freeze(trial, seconds * plan.pace)
        report = conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)
    report.goals.append(Limit("workers that did not exit though they had lost their partitions", survivors, 0))
    return report


def _freeze(trial: Trial, seconds: float) -> bool:
    """Freeze a worker. Return False if that was long enough to lose its partitions and it did not exit afterwards."""
    trial.wait_for_partitions(WORKERS)  # a worker without partitions loses none
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


def scaling(plan: Plan) -> RowReport:
    """Row 7: removed workers do not return, so the workers have no INSTANCE_ID."""
    plan = replace(plan, settings={**WITHOUT_INSTANCE_ID, **plan.settings})
    with Trial(plan) as trial:
        trial.start(1)
        for number in trial.rounds("changes"):
            size = _SIZES[number % len(_SIZES)]
            working = [worker for worker in trial.pool.workers if not worker.expected]
            until = time.monotonic() + _EVERY * plan.pace
            added = trial.pool.start(max(0, size - len(working)))
            removed = trial.random.sample(working, max(0, len(working) - size))
            for worker in removed:
                trial.pool.ask_to_stop(worker)
            trial.until(lambda: _changed(added, removed), PATIENCE)  # noqa: B023
            trial.fault(f"to {size} workers")
            trial.wait(until - time.monotonic())
        trial.until(lambda: not trial.reader.check.open_faults, PATIENCE)
        report = conclude(trial)
    report.times.append(Limit("longest stall, s", report.longest_stall, STALL))
    return report


def _changed(added: list[Worker], removed: list[Worker]) -> bool:
    """Whether the new workers are ready and the old ones have exited."""
    return all(worker.ready for worker in added) and not any(worker.running for worker in removed)


def terminated(plan: Plan) -> RowReport:
    """Row 8: `count` stops, then a tenth as many while the broker is away."""
    plan = replace(plan, settings={**WITHOUT_INSTANCE_ID, **plan.settings})
    with Trial(plan) as trial:
        trial.start(1)
        for number in trial.rounds("stops"):
            (worker,) = trial.pool.start()
            _stop(trial, worker, early=number % 3 == 0)
        stopped, unasked = trial.pool.stopped.copy(), trial.pool.exits.total()
        away = [end for _ in range(max(1, plan.count // 10)) for end in _stop_without_broker(trial)]
        report = conclude(trial, ends=BROKER_OR_PARTITIONS_LOST, stops=(0, _UNAVAILABLE))
    seconds = [took for _, took in stopped]
    report.figures |= {"from SIGTERM to the exit, s at most": max(seconds)}
    report.goals.append(Limit("workers that did not exit with 0", sum(code != 0 for code, _ in stopped), 0))
    report.goals.append(Limit("workers that exited unasked, while the broker ran", unasked, 0))
    report.times.append(Limit("from SIGTERM to the exit, s at p99", percentile(seconds, 0.99), STOP_WITHIN))
    report.times.append(Limit("with the broker away, s at most", max(took for _, took in away), GRACE))
    return report


def _stop(trial: Trial, worker: Worker, *, early: bool) -> None:
    before = len(trial.pool.stopped)
    if early:
        trial.wait(trial.random.uniform(0.0, _EARLY))
        trial.wait_for(lambda: worker.handles_sigterm, "a handler for SIGTERM")
    else:
        trial.wait_for(lambda: worker.ready, "a ready worker")
        trial.wait(trial.random.uniform(0.0, 3.0))
    trial.pool.ask_to_stop(worker)
    trial.until(lambda: len(trial.pool.stopped) > before, PATIENCE)
    trial.fault("SIGTERM early" if early else "SIGTERM")


def _stop_without_broker(trial: Trial) -> list[tuple[int, float]]:
    """Stop all workers while the broker is away. Return exit code and seconds of each."""
    trial.wait_for_output()
    before = len(trial.pool.stopped)
    trial.cluster.kill()
    trial.fault("SIGTERM, broker away", resume=False)
    trial.pool.stop(2 * GRACE)
    ended = trial.pool.stopped[before:]
    trial.cluster.start()
    trial.pool.start()
    return ended
