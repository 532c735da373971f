"""Rows 7 and 8: workers added, removed and stopped with SIGTERM."""

import time
from dataclasses import replace

from faults.conclusion import conclude
from faults.idcheck import percentile
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import NAMELESS, PATIENCE, Trial
from faults.workers import Worker

STALL = 15.0
"""Seconds without output that are allowed while workers are added and removed."""
STOP_WITHIN = 5.0
"""Seconds from SIGTERM to the end, at p99."""
GRACE = 57.0
"""Seconds from SIGTERM to the exit if the broker is away: the limit is 55, and the process takes a moment to end."""

_UNAVAILABLE = 69
_AWAY = {_UNAVAILABLE, 70}  # of a worker whose broker has just been killed
_SIZES = (4, 2, 1)
_EVERY = 10.0  # seconds
_EARLY = 5.0  # seconds after the start


def scaling(plan: Plan) -> RowReport:
    """Row 7; removed workers do not return, so the workers have no INSTANCE_ID."""
    plan = replace(plan, settings={**NAMELESS, **plan.settings})
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
    """Row 8; then a tenth as many stops while the broker is away."""
    plan = replace(plan, settings={**NAMELESS, **plan.settings})
    with Trial(plan) as trial:
        trial.start(1)
        for number in trial.rounds("stops"):
            (worker,) = trial.pool.start()
            _stop(trial, worker, early=number % 3 == 0)
        stopped, unasked = trial.pool.stopped.copy(), trial.pool.exits.total()
        away = [end for _ in range(max(1, plan.count // 10)) for end in _stop_without_broker(trial)]
        report = conclude(trial, ends=_AWAY, stops=(0, _UNAVAILABLE))
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
    """Stop all workers while the broker is away; return exit code and seconds of each."""
    trial.wait_for_output()
    before = len(trial.pool.stopped)
    trial.cluster.kill()
    trial.fault("SIGTERM, broker away", resume=False)
    trial.pool.stop(2 * GRACE)
    ended = trial.pool.stopped[before:]
    trial.cluster.start()
    trial.pool.start()
    return ended
