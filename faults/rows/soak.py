"""Row 10: hours without a fault, in which nothing may grow."""

import time
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import NamedTuple

from faults.plan import Plan
from faults.report import Goal, Report
from faults.trial import PATIENCE, Trial

MOST_GROWTH = 1.0
"""MiB per hour, at the upper 95 % bound; in a run of less than an hour, in all of it, as a step is no slope."""
MINUTES = 120.0

_EVERY = 2.0  # seconds between two samples
_WARM_UP = 0.2  # of the time, in which caches fill
_BLOCKS = 24  # neighbouring samples are alike, so means of blocks stand for them
_T = 1.717  # Student's t, 22 degrees of freedom, 95 % one-sided
_MEBIBYTE = 1 << 20
# A day's worth of records does not fit on a disk; what has been read goes.
_SHORT = {
    "log.retention.bytes": "536870912",
    "log.segment.bytes": "67108864",
    "log.retention.check.interval.ms": "10000",
}
_RETENTION_CHECKED = 15.0  # seconds
_AUDITED = 250_000  # records of each partition, the last ones


class Slope(NamedTuple):
    """How fast something grows, per second, and the most that it does with 95 % certainty."""

    value: float
    upper: float


@dataclass
class Samples:
    """What a worker held, at which second."""

    at: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def add(self, at: float, usage: dict[str, int]) -> None:
        """Keep one."""
        self.at.append(at)
        self.memory.append(usage["rss"] / _MEBIBYTE)
        self.files.append(usage["files"])
        self.threads.append(usage["threads"])


def slope(at: list[float], values: list[float]) -> Slope:
    """Fit a line to the means of blocks; at least two samples a block."""
    size = len(at) // _BLOCKS
    blocks = [slice(number * size, (number + 1) * size) for number in range(_BLOCKS)]
    xs, ys = ([fmean(series[block]) for block in blocks] for series in (at, values))
    x, y = fmean(xs), fmean(ys)
    spread = sum((each - x) ** 2 for each in xs)
    rise = sum((one - x) * (other - y) for one, other in zip(xs, ys, strict=True)) / spread
    rest = sum((other - y - rise * (one - x)) ** 2 for one, other in zip(xs, ys, strict=True))
    return Slope(rise, rise + _T * (rest / (_BLOCKS - 2) / spread) ** 0.5)


def soak(plan: Plan) -> Report:
    """Row 10, `minutes` long."""
    seconds = 60 * (plan.minutes or MINUTES)
    samples = Samples()
    with Trial(replace(plan, last=_AUDITED), properties=_SHORT) as trial:
        (worker,) = trial.crew.start()
        trial.load()
        trial.wait_for_output()
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < seconds and worker.running:
            if now > seconds * _WARM_UP and (usage := worker.usage()):
                samples.add(now, usage)
            trial.wait(_EVERY)
            if len(samples.at) % 30 == 1:
                trial.say(f"{samples.memory[-1]:.1f} MiB")
        trial.end_load()
        caught_up = trial.until(lambda: not trial.reader.check.waiting_for(trial.sent), PATIENCE)
        trial.wait(_RETENTION_CHECKED)  # for what has to go
        report = trial.report("10", f"soak, {seconds / 60:g} minutes")
    growth = slope(samples.at, samples.memory)
    report.figures |= {"MiB at the end": samples.memory[-1], "records/s": report.ids.checked / seconds}
    report.figures |= {"MiB/h": growth.value * 3600, "MiB/h, upper 95 % bound": growth.upper * 3600}
    name, period = ("MiB/h", 3600.0) if seconds >= 3600 else ("MiB in all", seconds)  # noqa: PLR2004  (an hour)
    report.goals.append(Goal(f"memory's growth, {name}, upper 95 % bound", growth.upper * period, MOST_GROWTH))
    for name, held in (("files", samples.files), ("threads", samples.threads)):
        half = len(held) // 2
        report.goals.append(Goal(f"{name} more than before", max(held[half:]) - max(held[:half]), 0))
    report.goals.append(Goal("not caught up", not caught_up, 0))
    return report
