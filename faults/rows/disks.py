"""Row 18: one of a broker's two log directories fails."""

import shutil
from pathlib import Path

from faults.conclusion import conclude
from faults.plan import Plan
from faults.report import RowReport
from faults.trial import Trial

_NODES = 3
_WORKERS = 3
_ENDS = {69, 70}  # no broker answers; partitions or transaction lost
_DISKS = ("disk-1", "disk-2")
_PROPERTIES = {"log.dirs": ",".join(f"{{folder}}/{disk}" for disk in _DISKS)}


def disks(plan: Plan) -> RowReport:
    """Row 18; the broker runs on with the other directory, then restarts with an empty or with the old one."""
    with Trial(plan, nodes=_NODES, properties=_PROPERTIES) as trial:
        trial.start(_WORKERS)
        for number in range(plan.count):
            node = trial.random.choice(trial.cluster.nodes)
            disk = node.folder / trial.random.choice(_DISKS)
            gone = disk.rename(disk.with_name("gone"))
            trial.fault("log directory gone")
            trial.wait_for(lambda: not trial.in_sync(), "the broker to notice")
            assert node.running, "the broker has exited"
            trial.wait_until_resumed()
            trial.pause(2.0, 10.0)
            trial.during(node.stop)
            _replace(disk, gone, keep=number % 2 == 1)
            trial.during(node.start)
            trial.wait_for(trial.in_sync, "replicas in sync")
            trial.say(f"{number + 1}/{plan.count} directories")
        return conclude(trial, ends=_ENDS)


def _replace(disk: Path, gone: Path, *, keep: bool) -> None:
    shutil.rmtree(disk, ignore_errors=True)
    if keep:
        gone.rename(disk)
    else:
        shutil.rmtree(gone)
