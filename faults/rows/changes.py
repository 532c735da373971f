"""Row 12: what changes under the pipeline: partitions, the input topic itself, the disk, the clock."""

import os
import shutil
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from confluent_kafka.admin import NewPartitions

from faults.idcheck import Counts
from faults.plan import Plan
from faults.report import Goal, Report
from faults.trial import PARTITIONS, PATIENCE, SOURCE, TARGET, Trial

FOUND_WITHIN = 60.0
"""Seconds in which a new partition has to be read: workers look for them twice a minute."""

_UNFIT = 78
_STEPS = (3600, 0, -3600, 0)  # seconds from the right time
_CLOCK = Path(__file__).parent.parent / "clock.c"


def changes(plan: Plan) -> Report:
    """Row 12; `count` times each change."""
    reports = [(name, change(plan)) for _ in range(plan.count) for name, change in _CHANGES.items()]
    goals = _worst([(name, goal) for name, report in reports for goal in report.goals])
    times = _worst([(name, goal) for name, report in reports for goal in report.times])
    whole = reports[0][1]
    for _, other in reports[1:]:
        whole.faults |= {kind: whole.faults.get(kind, 0) + count for kind, count in other.faults.items()}
        whole.ids = Counts(**{name: value + getattr(other.ids, name) for name, value in asdict(whole.ids).items()})
        whole.notes += [note for note in other.notes if note not in whole.notes]
        whole.figures |= {name: max(value, whole.figures.get(name, value)) for name, value in other.figures.items()}
        for name, found in other.audits.items():
            total = whole.audits.setdefault(name, {**found, "total": Counter()})["total"]
            total |= {count: total[count] + more for count, more in found["total"].items()}
        whole.exits |= {code: whole.exits.get(code, 0) + count for code, count in other.exits.items()}
        whole.longest_stall = max(whole.longest_stall, other.longest_stall)
        whole.resume_p99 = max(whole.resume_p99, other.resume_p99)
        whole.resume_most = max(whole.resume_most, other.resume_most)
        whole.seconds += other.seconds
    whole.goals, whole.times = goals, times
    return whole


def _worst(found: list[tuple[str, Goal]]) -> list[Goal]:
    """Each change's goals, at the value that was furthest from being met."""
    worst: dict[str, Goal] = {}
    for change, goal in found:
        named = goal._replace(name=f"{change}: {goal.name}")
        worst[named.name] = max(worst.get(named.name, named), named, key=lambda each: each.value)
    return list(worst.values())


def _grow(trial: Trial, topic: str, partitions: int) -> None:
    trial.admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)


def _partitions_added(plan: Plan) -> Report:
    """To both topics: read from offset 0. To the input alone: the worker stops with 78, and goes on once mended."""
    with Trial(plan) as trial:
        trial.crew.start(2)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for topic in (TARGET, SOURCE):
            _grow(trial, topic, PARTITIONS + 1)
        trial.fault("partition added to both topics", resume=False)
        trial.reader.add_partition(PARTITIONS)
        trial.load(partitions=[PARTITIONS], rate=50)
        begin = time.monotonic()
        assert trial.until(lambda: trial.reader.check.progress[PARTITIONS], PATIENCE), "it is not read"
        found = time.monotonic() - begin
        _grow(trial, SOURCE, PARTITIONS + 2)
        trial.fault("partition added to the input alone", resume=False)
        trial.load(partitions=[PARTITIONS + 1], rate=50)
        assert trial.until(lambda: trial.crew.exits[_UNFIT], PATIENCE), "no worker has stopped"
        _grow(trial, TARGET, PARTITIONS + 2)
        trial.reader.add_partition(PARTITIONS + 1)
        assert trial.until(lambda: trial.reader.check.progress[PARTITIONS + 1], PATIENCE), "it is not read"
        report = trial.report("12", "changes", ends={_UNFIT})
    report.figures["new partition read after, s"] = found
    report.times.append(Goal("new partition read after, s", found, FOUND_WITHIN))
    told = all("partition" in reason for reason in trial.crew.reasons)
    report.goals.append(Goal("stops that don't name the partition", not told, 0))
    return report


def _input_deleted(plan: Plan) -> Report:
    """The worker stops with 78 and says so; what was there before is all in the output."""
    with Trial(replace(plan, audit=False)) as trial:  # afterwards, there is no input to hold the output against
        trial.crew.start()
        trial.load(count=2000)
        trial.end_load()
        assert trial.until(lambda: not trial.reader.check.waiting_for(trial.sent), PATIENCE), "no output"
        trial.admin.delete_topics([SOURCE])[SOURCE].result(30)
        trial.fault("input topic deleted", resume=False)
        assert trial.until(lambda: trial.crew.exits, PATIENCE), "the worker has not stopped"
        code, reason = next(iter(trial.crew.exits)), trial.crew.reasons[0]
        told = code == _UNFIT and SOURCE in reason
        report = trial.report("12", "changes", ends={_UNFIT}, stops=(0, _UNFIT))
    report.notes.append("input deleted: without tools.verify, as there is no input left to hold the output against")
    report.goals.append(Goal("ends with another code than 78, or without naming the topic", not told, 0))
    return report


def _disk_full(plan: Plan) -> Report:
    """The temporary folder and the one it runs in hold nothing more: it neither writes nor needs any."""
    with Trial(plan) as trial, _full_folder(trial.folder / "full") as full:
        if full is None:
            return _not_done(trial, "disk full: only root can mount a full folder")
        trial.fault("temporary folder full", resume=False)
        trial.crew.start(1, {"TMPDIR": str(full), "HOME": str(full)}, full)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        trial.wait(10.0)
        return trial.report("12", "changes")


@contextmanager
def _full_folder(folder: Path) -> Iterator[Path | None]:
    """A file system of its own with no room left; None where it can't be mounted."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["/bin/mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=False
        ).returncode
    )
    if not mounted:
        yield None
        return
    try:
        try:
            (folder / "filling").write_bytes(bytes(1 << 20))
        except OSError:
            yield folder
    finally:
        subprocess.run(["/bin/umount", "-l", str(folder)], check=True)


def _clock_stepped(plan: Plan) -> Report:
    """The workers' clock jumps an hour ahead and back again, then an hour back and ahead again."""
    with Trial(plan) as trial:
        library, offset = trial.folder / "clock.so", trial.folder / "offset"
        compiler = shutil.which("cc")
        if compiler is None:
            return _not_done(trial, "clock stepped: it takes a C compiler, cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_CLOCK)], check=True)
        offset.write_bytes(_seconds(0))
        clock = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
        workers = trial.crew.start(2, {**clock, "LOG_LEVEL": "DEBUG"})
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for step in _STEPS:
            with offset.open("r+b") as file:  # the workers have mapped this very file
                file.write(_seconds(step))
            trial.fault("clock stepped by an hour")
            trial.wait(10.0)
            assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow"
        report = trial.report("12", "changes")
        unaware = sum(_span(worker.log) < 1.5 * max(_STEPS) for worker in workers)
    report.goals.append(Goal("workers whose log shows no step", unaware, 0))
    return report


def _span(log: Path) -> float:
    """The seconds between the earliest and the latest time that a log tells."""
    times = [datetime.fromisoformat(line[:23]) for line in log.read_text().splitlines()]
    return (max(times) - min(times)).total_seconds()


def _seconds(count: int) -> bytes:
    return struct.pack("=q", count)


def _not_done(trial: Trial, why: str) -> Report:
    trial.load(count=1000)
    trial.crew.start()
    report = trial.report("12", "changes")
    report.goals.append(Goal(f"not done here: {why}", 1, 0))
    return report


_CHANGES: dict[str, Callable[[Plan], Report]] = {
    "partitions added": _partitions_added,
    "input deleted": _input_deleted,
    "disk full": _disk_full,
    "clock stepped": _clock_stepped,
}
