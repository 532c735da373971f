"""Rows 5 and 11: SIGSTOP, for a worker so long that it may lose its partitions, and for the broker with a backlog."""

import signal
import time

from faults.plan import Plan
from faults.report import Goal, Report
from faults.trial import PATIENCE, Trial

PAUSES = (5.0, 30.0, 50.0, 70.0)
"""Seconds for which a worker is frozen."""
MOST_MEMORY = 256.0
"""MiB that a worker may hold while the broker is frozen."""

_WORKERS = 3
_FROZEN = (2.0, 10.0, 20.0)  # seconds
_BACKLOG = 200_000
_PADS = (0, 1000)  # bytes; the latter compress to a hundredth
_LOST_AFTER = 20.0  # seconds: the group gives a worker up after 17, COMMIT_INTERVAL and 16
_ENDS = {69, 70}  # of a worker whose records timed out meanwhile; of one that lost its partitions


def workers(plan: Plan) -> Report:
    """Row 5; `count` times each pause."""
    went_on = 0
    with Trial(plan) as trial:
        trial.crew.start(_WORKERS)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(1, plan.count + 1):
            for seconds in PAUSES:
                went_on += not _freeze(trial, seconds * plan.pace)
            trial.say(f"{number}/{plan.count} of each pause")
        report = trial.report("5", "SIGSTOP a worker for 5, 30, 50, 70 s", ends=_ENDS)
    report.goals.append(Goal("workers that went on though they had lost their partitions", went_on, 0))
    return report


def _freeze(trial: Trial, seconds: float) -> bool:
    """Freeze one; whether it stops by itself then, where it was frozen for so long that it has lost its partitions."""
    assert trial.until(lambda: len(trial.crew.alive()) == _WORKERS, PATIENCE), "the workers did not come up"
    trial.wait(trial.random.uniform(1.0, 3.0))
    worker = trial.random.choice(trial.crew.alive())
    worker.send(signal.SIGSTOP)
    trial.fault(f"SIGSTOP for {seconds:g} s")
    trial.wait(seconds)
    worker.send(signal.SIGCONT)
    trial.wait(1.0)
    stops = seconds < _LOST_AFTER or trial.until(lambda: not worker.running, PATIENCE)
    trial.until(lambda: not trial.reader.check.open_faults, PATIENCE)
    return stops


def broker(plan: Plan) -> Report:
    """Row 11: each time a new worker meets a backlog, and the broker freezes while the worker is in the middle."""
    peak, too_late, resumed = 0.0, 0, []

    def is_done(trial: Trial) -> bool:
        nonlocal peak
        peak = max(peak, _peak(trial))
        return not trial.reader.check.waiting_for(trial.sent)

    with Trial(plan, properties={"broker.session.timeout.ms": "60000"}) as trial:
        trial.follow()
        for number in range(plan.count):
            trial.load(count=_BACKLOG, rate=0, pad=_PADS[number % len(_PADS)])
            trial.end_load()
            before = trial.reader.check.counts.checked
            trial.crew.start()
            assert trial.until(lambda: trial.reader.check.counts.checked > before, PATIENCE), "no output"  # noqa: B023
            frozen = _FROZEN[number % len(_FROZEN)]
            trial.cluster.nodes[0].pause()
            trial.fault(f"SIGSTOP of the broker for {frozen:g} s", resume=False)
            too_late += trial.until(lambda: is_done(trial), frozen)
            trial.cluster.nodes[0].resume()
            begin = time.monotonic()
            assert trial.until(lambda: is_done(trial), PATIENCE), "it did not go on"
            resumed.append(time.monotonic() - begin)
            trial.crew.stop()
            trial.say(f"{number + 1}/{plan.count} freezes, peak {peak:.0f} MiB, done {resumed[-1]:.1f} s later")
        report = trial.report("11", "broker frozen (SIGSTOP) with a backlog", ends=_ENDS)
    report.figures |= {"peak memory, MiB": peak, "backlog done after the freeze, s at most": max(resumed)}
    report.goals.append(Goal("peak memory, MiB", peak, MOST_MEMORY))
    report.goals.append(Goal("freezes that came when all was done", too_late, 0))
    report.longest_stall = 0.0  # between two backlogs nothing is sent
    return report


def _peak(trial: Trial) -> float:
    """The most MiB that one of the workers has held so far."""
    return max((worker.usage().get("peak", 0) for worker in trial.crew.workers), default=0) / (1 << 20)
