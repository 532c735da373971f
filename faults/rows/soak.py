"""Row 10: hours without a fault, in which memory, open files and threads must not grow."""

import time
from dataclasses import dataclass, field, replace
from statistics import fmean, linear_regression, pvariance
from typing import NamedTuple

from faults.conclusion import conclude
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import PATIENCE, Trial
from tools.process_state import Usage, usage

MOST_GROWTH = 1.0
"""MiB per hour, at the upper 95 % bound. In a run of less than an hour, MiB in the whole run."""
MINUTES = 120.0

_EVERY = 2.0  # seconds between two samples
_WARM_UP = 0.2  # the share of the run in which caches fill
_BLOCKS = 24  # neighbouring samples are not independent, so blocks of them are averaged
_T = 1.717  # Student's t, 22 degrees of freedom, 95 % one-sided
_MEBIBYTE = 1 << 20
# The records of hours do not fit on the disk: old ones are deleted.
_SHORT_RETENTION = {
    "log.retention.bytes": "536870912",
    "log.segment.bytes": "67108864",
    "log.retention.check.interval.ms": "10000",
}
_RETENTION_CHECKED = 15.0  # seconds
_AUDITED = 250_000  # records of each partition, the last ones


class Slope(NamedTuple):
    """The growth per second, and its upper 95 % bound."""

    value: float
    upper: float


@dataclass
class Samples:
    """A worker's memory in MiB, open files and threads, by seconds since the start."""

    at: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def add(self, at: float, used: Usage) -> None:
        """Add one sample."""
        self.at.append(at)
        self.memory.append(used.rss / _MEBIBYTE)
        self.files.append(used.files)
        self.threads.append(used.threads)


def slope(at: list[float], values: list[float]) -> Slope:
    """Fit a line to the means of blocks, each of which needs at least two samples."""
    size = len(at) // _BLOCKS
    blocks = [slice(number * size, (number + 1) * size) for number in range(_BLOCKS)]
    xs, ys = ([fmean(series[block]) for block in blocks] for series in (at, values))
    rise, start = linear_regression(xs, ys)
    rest = sum((y - start - rise * x) ** 2 for x, y in zip(xs, ys, strict=True))
    return Slope(rise, rise + _T * (rest / (_BLOCKS - 2) / pvariance(xs) / _BLOCKS) ** 0.5)


def soak(plan: Plan) -> RowReport:
    """Row 10, `minutes` long."""
    seconds = 60 * (plan.minutes or MINUTES)
    samples = Samples()
    with Trial(replace(plan, last=_AUDITED), properties=_SHORT_RETENTION) as trial:
        (worker,) = trial.pool.start()
        trial.load()
        trial.wait_for_output()
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < seconds and worker.running:
            if now > seconds * _WARM_UP and (found := usage(worker.process.pid)):
                samples.add(now, found)
            trial.wait(_EVERY)
            if len(samples.at) % 30 == 1:
                trial.say(f"{samples.memory[-1]:.1f} MiB")
        trial.end_load()
        caught_up = trial.until(lambda: not trial.reader.check.waiting_for(trial.sent), PATIENCE)
        trial.wait(_RETENTION_CHECKED)  # until old records are deleted
        report = conclude(trial)
    growth = slope(samples.at, samples.memory)
    report.figures |= {"MiB at the end": samples.memory[-1], "records/s": report.ids.checked / seconds}
    report.figures |= {"MiB/h": growth.value * 3600, "MiB/h, upper 95 % bound": growth.upper * 3600}
    name, period = ("MiB/h", 3600.0) if seconds >= 3600 else ("MiB in all", seconds)  # noqa: PLR2004  (an hour)
    report.goals.append(Limit(f"memory's growth, {name}, upper 95 % bound", growth.upper * period, MOST_GROWTH))
    for name, held in (("files", samples.files), ("threads", samples.threads)):
        half = len(held) // 2
        report.goals.append(Limit(f"{name} more than before", max(held[half:]) - max(held[:half]), 0))
    report.goals.append(Limit("not caught up", not caught_up, 0))
    return report
