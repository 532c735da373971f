"""Ends a trial and reports it: the counts by id, the verdicts of tools.verify, exits, and the limits of every row."""

from collections import Counter
from collections.abc import Collection, Iterator

from faults.audit import Audit, AuditFailed
from faults.idcheck import percentile
from faults.report import Limit, RowReport
from faults.trial import Trial

BROKER_OR_PARTITIONS_LOST = {69, 70}
"""The exit codes of workers for which no broker answered, or which lost their partitions or a transaction."""


def conclude(trial: Trial, *, ends: Collection[int] = (), stops: Collection[int] = (0,)) -> RowReport:
    """Finish and audit a trial, and return what every row reports. A row adds its own limits.

    Args:
        trial: the trial, whose load and workers end.
        ends: the exit codes that the row's faults may cause.
        stops: the exit codes allowed for workers that were asked to stop.
    """
    report = RowReport(seed=trial.plan.seed, ids=trial.finish(), faults=trial.faults.copy())
    check, pool = trial.reader.check, trial.pool
    report.longest_stall, report.resume_p99 = check.longest_stall, percentile(check.resumed, 0.99)
    report.resume_most = max(check.resumed, default=0.0)
    report.exits = {str(code): count for code, count in pool.exits.items()}
    reasons = Counter(pool.reasons).most_common(5)
    report.notes += check.examples + [f"{count} x {reason}" for reason, count in reasons]
    report.seconds = trial.elapsed
    _audit(trial, report)
    report.goals += [*_count_limits(trial, report), *_dead_letter_limits(trial, report)]
    except_for = f", except with {', '.join(map(str, sorted(ends)))}" if ends else ""
    unasked = sum(count for code, count in pool.exits.items() if code not in ends)
    unexpected = sum(code not in stops for code, _ in pool.stopped)
    report.goals += [
        Limit("duplicated without a fault", check.unexplained, 0),
        Limit(f"workers that exited unasked{except_for}", unasked, 0),
        Limit(f"asked to stop, exited with another code than {', '.join(map(str, stops))}", unexpected, 0),
        Limit("workers that logged a stack trace", _stack_traces(trial), 0),
        Limit("faults never recovered from", check.open_faults, 0),
    ]
    return report


def _audit(trial: Trial, report: RowReport) -> None:
    """Add the verdicts of tools.verify."""
    if not trial.plan.audit:
        return
    try:
        if trial.follower:
            report.audits["along"] = trial.follower.verdict()
        options = ("--last", str(trial.plan.last)) if trial.plan.last else ()
        report.audits["at the end"] = Audit(trial.audit_environment, trial.folder, *options).verdict()
    except AuditFailed as error:
        report.goals.append(Limit(str(error), 1, 0))


def _count_limits(trial: Trial, report: RowReport) -> Iterator[Limit]:
    """Yield what both checks must not have counted."""
    exactly_once = trial.pool.environment.get("PROCESSING_GUARANTEE", "exactly-once") == "exactly-once"
    bad = ["lost", "reordered", "wrong", *(["duplicated"] if exactly_once else [])]
    yield from (Limit(f"{name} by id", getattr(report.ids, name), 0) for name in bad)
    for name, found in report.audits.items():
        total = found["total"]
        yield Limit(f"{', '.join(bad)} ({name})", sum(total[key] for key in bad), 0)
        yield Limit(f"not processed ({name})", total["pending"], 0)
        if exactly_once:
            yield Limit(f"not found right ({name})", not found["ok"], 0)
        if not trial.plan.last:
            unseen = abs(total["checked"] - report.ids.checked) + total["skipped"]
            yield Limit(f"not checked ({name})", unseen, 0)


def _dead_letter_limits(trial: Trial, report: RowReport) -> Iterator[Limit]:
    """Yield what the check by id must not have counted of the dead letters, and note how many it found."""
    if trial.dead_letter_reader:
        counts = trial.dead_letter_reader.check.final_counts(trial.sent)
        report.notes += [f"{counts.checked} dead letters", *trial.dead_letter_reader.check.examples]
        bad = ("lost", "duplicated", "reordered", "wrong")
        yield from (Limit(f"{name} dead letters by id", getattr(counts, name), 0) for name in bad)


def _stack_traces(trial: Trial) -> int:
    if trial.pool.environment.get("LOG_LEVEL") == "DEBUG":  # every error has a stack trace then
        return 0
    return sum(b"Traceback" in log.read_bytes() for log in trial.folder.glob("worker-*.log"))
