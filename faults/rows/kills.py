"""Rows 1, 1b and 2: workers killed, one of three at a time."""

from dataclasses import replace
from itertools import pairwise

from faults.conclusion import conclude
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import NAMELESS, PATIENCE, Trial

RESUME_WITHIN = 15.0
"""Seconds after a kill in which every partition must have output again, at p99."""

NAMELESS_RESUME_WITHIN = 30.0
"""The same without an INSTANCE_ID: the group removes a killed worker after 17 s; its transaction ends after 25 s."""

_PAUSES = (2.0, 15.0)  # seconds between two kills
_LONG_PAUSES = (20.0, 40.0)
_FULL_COUNT, _FULL_RECORDS = 300, 3_000_000
_INTERVAL, _BATCH = 1.0, 10_000  # COMMIT_INTERVAL's default in seconds; the most records taken at once


def exactly_once(plan: Plan) -> RowReport:
    """Row 1: exactly-once."""
    report = _kill(plan, "exactly-once")
    if plan.count >= _FULL_COUNT:
        report.goals.append(Limit("records short of 3 million", max(0, _FULL_RECORDS - report.ids.checked), 0))
    report.times.append(Limit("resume, s at p99", report.resume_p99, RESUME_WITHIN))
    return report


def nameless(plan: Plan) -> RowReport:
    """Row 1b; no worker has an INSTANCE_ID, so the others must take over its partitions, which takes longer."""
    report = _kill(replace(plan, settings={**plan.settings, **NAMELESS}), "exactly-once", _LONG_PAUSES)
    report.times.append(Limit("resume, s at p99", report.resume_p99, NAMELESS_RESUME_WITHIN))
    return report


def at_least_once(plan: Plan) -> RowReport:
    """Row 2: at-least-once."""
    report = _kill(plan, "at-least-once")
    most = plan.rate * float(str(plan.settings.get("COMMIT_INTERVAL", _INTERVAL))) + _BATCH
    report.figures["duplicates per kill"] = report.ids.duplicated / max(1, report.done)
    worst = report.figures["duplicates between two kills, at most"]
    report.goals.append(Limit("duplicated between two kills: an interval's records and a batch", worst, most))
    return report


def _kill(plan: Plan, guarantee: str, pauses: tuple[float, float] = _PAUSES) -> RowReport:
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
