"""Row 18: one of a broker's two log directories fails."""

import shutil
from pathlib import Path

from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.plan import Plan
from faults.report import RowReport
from faults.trial import Trial

_DISKS = ("disk-1", "disk-2")
_PROPERTIES = {"log.dirs": ",".join(f"{{folder}}/{disk}" for disk in _DISKS)}


def disks(plan: Plan) -> RowReport:
    """Row 18; the broker runs on with the other directory, then restarts with an empty or with the old one."""
    with Trial(plan, nodes=3, properties=_PROPERTIES) as trial:
        trial.start()
        for number in trial.rounds("directories"):
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
        return conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)


def _replace(disk: Path, gone: Path, *, keep: bool) -> None:
    shutil.rmtree(disk, ignore_errors=True)
    if keep:
        gone.rename(disk)
    else:
        shutil.rmtree(gone)
