"""Row 12: partitions added, the input topic deleted, a full disk, a clock that jumps."""

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

from faults.conclusion import conclude
from faults.idcheck import Counts
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import PARTITIONS, SOURCE, TARGET, Trial

FOUND_WITHIN = 60.0
"""Seconds in which a new partition must be read: workers look for new ones twice a minute."""

_MISCONFIGURED = 78
_STEPS = (3600, 0, -3600, 0)  # seconds from the right time
_CLOCK = Path(__file__).parent.parent / "clock.c"


def changes(plan: Plan) -> RowReport:
    """Row 12: `count` times each change."""
    reports = [(name, change(plan)) for _ in range(plan.count) for name, change in _CHANGES.items()]
    goals = _worst([(name, limit) for name, report in reports for limit in report.goals])
    times = _worst([(name, limit) for name, report in reports for limit in report.times])
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


def _worst(found: list[tuple[str, Limit]]) -> list[Limit]:
    """For each change and limit, the highest value."""
    worst: dict[str, Limit] = {}
    for change, limit in found:
        named = limit._replace(name=f"{change}: {limit.name}")
        worst[named.name] = max(worst.get(named.name, named), named, key=lambda each: each.value)
    return list(worst.values())


def _grow(trial: Trial, topic: str, partitions: int) -> None:
    trial.admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)


def _partitions_added(plan: Plan) -> RowReport:
    """Partitions added to both topics are read from offset 0. If only the input has more, the worker exits with 78."""
    with Trial(plan) as trial:
        trial.start(2)
        for topic in (TARGET, SOURCE):
            _grow(trial, topic, PARTITIONS + 1)
        trial.fault("partition added to both topics", resume=False)
        trial.reader.add_partition(PARTITIONS)
        trial.load(partitions=[PARTITIONS], rate=50)
        begin = time.monotonic()
        trial.wait_for(lambda: trial.reader.check.progress[PARTITIONS], "output of the new partition")
        found = time.monotonic() - begin
        _grow(trial, SOURCE, PARTITIONS + 2)
        trial.fault("partition added to the input alone", resume=False)
        trial.load(partitions=[PARTITIONS + 1], rate=50)
        trial.wait_for(lambda: trial.pool.exits[_MISCONFIGURED], "a worker to exit")
        _grow(trial, TARGET, PARTITIONS + 2)
        trial.reader.add_partition(PARTITIONS + 1)
        trial.wait_for(lambda: trial.reader.check.progress[PARTITIONS + 1], "output of the new partition")
        report = conclude(trial, ends={_MISCONFIGURED})
    report.figures["new partition read after, s"] = found
    report.times.append(Limit("new partition read after, s", found, FOUND_WITHIN))
    are_named = all("partition" in reason for reason in trial.pool.reasons)
    report.goals.append(Limit("stops that don't name the partition", not are_named, 0))
    return report


def _input_deleted(plan: Plan) -> RowReport:
    """The worker exits with 78 and names the topic. All earlier records are in the output."""
    with Trial(replace(plan, audit=False)) as trial:  # there is no input left to compare with
        trial.pool.start()
        trial.load(count=2000)
        trial.end_load()
        trial.wait_until_processed()
        trial.admin.delete_topics([SOURCE])[SOURCE].result(30)
        trial.fault("input topic deleted", resume=False)
        trial.wait_for(lambda: trial.pool.exits, "the worker to exit")
        code, reason = next(iter(trial.pool.exits)), trial.pool.reasons[0]
        is_named = code == _MISCONFIGURED and SOURCE in reason
        report = conclude(trial, ends={_MISCONFIGURED}, stops=(0, _MISCONFIGURED))
    report.notes.append("input deleted: without tools.verify, because there is no input left to compare with")
    report.goals.append(Limit("exits with another code than 78, or without naming the topic", not is_named, 0))
    return report


def _disk_full(plan: Plan) -> RowReport:
    """The temporary folder and the working folder are full: the worker writes no files."""
    with Trial(plan) as trial, _full_folder(trial.folder / "full") as full:
        if full is None:
            return _not_done(trial, "disk full: needs root, to mount a file system")
        trial.fault("temporary folder full", resume=False)
        trial.pool.start(1, {"TMPDIR": str(full), "HOME": str(full)}, full)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        trial.wait(10.0)
        return conclude(trial)


@contextmanager
def _full_folder(folder: Path) -> Iterator[Path | None]:
    """A file system with no space left, or None if it cannot be mounted."""
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


def _clock_stepped(plan: Plan) -> RowReport:
    """The workers' clock jumps an hour forward and back, then an hour back and forward."""
    with Trial(plan) as trial:
        library, offset = trial.folder / "clock.so", trial.folder / "offset"
        compiler = shutil.which("cc")
        if compiler is None:
            return _not_done(trial, "clock stepped: needs a C compiler, cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_CLOCK)], check=True)
        offset.write_bytes(_seconds(0))
        clock = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
        workers = trial.pool.start(2, {**clock, "LOG_LEVEL": "DEBUG"})
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for step in _STEPS:
            with offset.open("r+b") as file:  # the workers have mapped this very file
                file.write(_seconds(step))
            trial.fault("clock stepped by an hour")
            trial.wait(10.0)
            trial.wait_until_resumed()
        report = conclude(trial)
        unaware = sum(_span(worker.log) < 1.5 * max(_STEPS) for worker in workers)
    report.goals.append(Limit("workers whose log shows no step", unaware, 0))
    return report


def _span(log: Path) -> float:
    """The seconds between the earliest and the latest time in a log."""
    times = [datetime.fromisoformat(line[:23]) for line in log.read_text().splitlines()]
    return (max(times) - min(times)).total_seconds()


def _seconds(count: int) -> bytes:
    return struct.pack("=q", count)


def _not_done(trial: Trial, why: str) -> RowReport:
    trial.load(count=1000)
    trial.pool.start()
    report = conclude(trial)
    report.goals.append(Limit(f"not done: {why}", 1, 0))
    return report


_CHANGES: dict[str, Callable[[Plan], RowReport]] = {
    "partitions added": _partitions_added,
    "input deleted": _input_deleted,
    "disk full": _disk_full,
    "clock stepped": _clock_stepped,
}
