"""Rows 7 and 8: workers that come and go as they are told."""

import time
from dataclasses import replace

from faults.idcheck import percentile
from faults.plan import Plan
from faults.report import Goal, Report
from faults.trial import NAMELESS, PATIENCE, Trial
from faults.workers import Worker

STALL = 15.0
"""Seconds that output may stand still while workers come and go."""
STOP_WITHIN = 5.0
"""Seconds from SIGTERM to the end, at p99."""
GRACE = 57.0
"""Seconds from SIGTERM to the end where the broker is away: README.md says 55, and a process takes a while to go."""

_UNAVAILABLE = 69
_AWAY = {_UNAVAILABLE, 70}  # of a worker that has just seen the broker go
_SIZES = (4, 2, 1)
_EVERY = 10.0  # seconds
_EARLY = 5.0  # seconds after the start


def scaling(plan: Plan) -> Report:
    """Row 7; the workers come and go for good, so they have no names to keep."""
    plan = replace(plan, settings={**NAMELESS, **plan.settings})
    with Trial(plan) as trial:
        trial.crew.start()
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(plan.count):
            size = _SIZES[number % len(_SIZES)]
            working = [worker for worker in trial.crew.workers if not worker.expected]
            until = time.monotonic() + _EVERY * plan.pace
            coming = trial.crew.start(max(0, size - len(working)))
            going = trial.random.sample(working, max(0, len(working) - size))
            for worker in going:
                trial.crew.ask_to_stop(worker)
            trial.until(lambda: _changed(coming, going), PATIENCE)  # noqa: B023
            trial.fault(f"to {size} workers")
            trial.wait(until - time.monotonic())
            trial.say(f"{number + 1}/{plan.count} changes")
        trial.until(lambda: not trial.reader.check.open_faults, PATIENCE)
        report = trial.report("7", "workers 1 -> 4 -> 2 -> 1")
    report.times.append(Goal("longest stall, s", report.longest_stall, STALL))
    return report


def _changed(coming: list[Worker], going: list[Worker]) -> bool:
    """Whether those that come are there, and those that go have gone."""
    return all(worker.ready for worker in coming) and not any(worker.running for worker in going)


def terminated(plan: Plan) -> Report:
    """Row 8; a tenth as many are stopped with the broker away."""
    plan = replace(plan, settings={**NAMELESS, **plan.settings})
    with Trial(plan) as trial:
        trial.crew.start()
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(plan.count):
            (worker,) = trial.crew.start()
            _stop(trial, worker, early=number % 3 == 0)
            trial.say(f"{number + 1}/{plan.count} stops, {trial.crew.stopped[-1]}")
        stopped, unasked = trial.crew.stopped.copy(), trial.crew.exits.total()
        away = [end for _ in range(max(1, plan.count // 10)) for end in _stop_without_broker(trial)]
        report = trial.report("8", "SIGTERM, a third within 5 s of the start", ends=_AWAY, stops=(0, _UNAVAILABLE))
    seconds = [took for _, took in stopped]
    report.figures |= {"from SIGTERM to the end, s at most": max(seconds)}
    report.goals.append(Goal("workers that did not end with 0", sum(code != 0 for code, _ in stopped), 0))
    report.goals.append(Goal("workers that ended unasked, while the broker was there", unasked, 0))
    report.times.append(Goal("from SIGTERM to the end, s at p99", percentile(seconds, 0.99), STOP_WITHIN))
    report.times.append(Goal("with the broker away, s at most", max(took for _, took in away), GRACE))
    return report


def _stop(trial: Trial, worker: Worker, *, early: bool) -> None:
    before = len(trial.crew.stopped)
    if early:
        trial.wait(trial.random.uniform(0.0, _EARLY))
        assert trial.until(lambda: worker.handles_sigterm, PATIENCE)
    else:
        assert trial.until(lambda: worker.ready, PATIENCE), worker.last_line()
        trial.wait(trial.random.uniform(0.0, 3.0))
    trial.crew.ask_to_stop(worker)
    trial.until(lambda: len(trial.crew.stopped) > before, PATIENCE)
    trial.fault("SIGTERM early" if early else "SIGTERM")


def _stop_without_broker(trial: Trial) -> list[tuple[int, float]]:
    """Stop all workers while the broker is away; exit code, and seconds that it took, of each."""
    trial.wait_for_output()
    before = len(trial.crew.stopped)
    trial.cluster.kill()
    trial.fault("SIGTERM, broker away", resume=False)
    trial.crew.stop(2 * GRACE)
    ended = trial.crew.stopped[before:]
    trial.cluster.start()
    trial.crew.start()
    return ended
