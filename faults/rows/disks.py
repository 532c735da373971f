"""Row 18: one of a broker's two log directories fails."""

import shutil
from pathlib import Path

from faults.plan import Plan
from faults.report import Report
from faults.rows.brokers import in_sync, meanwhile
from faults.trial import PATIENCE, Trial

_NODES = 3
_WORKERS = 3
_ENDS = {69, 70}  # no broker answers; the group, or the transaction, is gone
_DISKS = ("disk-1", "disk-2")
_PROPERTIES = {"log.dirs": ",".join(f"{{folder}}/{disk}" for disk in _DISKS)}


def disks(plan: Plan) -> Report:
    """Row 18; the broker lives on with the other directory, and starts again with an empty one or with the old one."""
    with Trial(plan, nodes=_NODES, properties=_PROPERTIES) as trial:
        trial.crew.start(_WORKERS)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(plan.count):
            node = trial.random.choice(trial.cluster.nodes)
            disk = node.folder / trial.random.choice(_DISKS)
            gone = disk.rename(disk.with_name("gone"))
            trial.fault("log directory gone")
            assert trial.until(lambda: not in_sync(trial), PATIENCE), "the broker did not notice"
            assert node.running, "the broker has ended"
            assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow"
            trial.wait(trial.random.uniform(2.0, 10.0) * plan.pace)
            meanwhile(trial, node.stop)
            _replace(disk, gone, keep=number % 2 == 1)
            meanwhile(trial, node.start)
            assert trial.until(lambda: in_sync(trial), PATIENCE), "the broker does not catch up"
            trial.say(f"{number + 1}/{plan.count} directories")
        return trial.report("18", "a broker's log directory fails", ends=_ENDS)


def _replace(disk: Path, gone: Path, *, keep: bool) -> None:
    shutil.rmtree(disk, ignore_errors=True)
    if keep:
        gone.rename(disk)
    else:
        shutil.rmtree(gone)
