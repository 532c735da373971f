"""Row 16: the broker takes fewer bytes per second than there are to write."""

from faults.broker_admin import set_produce_quota
from faults.load import CLIENT
from faults.plan import Plan
from faults.report import Goal, Report
from faults.trial import PATIENCE, Trial

QUOTA = 50_000.0
"""Bytes per second; the load has more than that."""
STALL = 60.0
"""Seconds in which each partition has to gain records."""

_WORKERS = 2
_BACKLOG = 4000  # records
_PAD = 600  # bytes
_LASTS = (20.0, 40.0)  # seconds


def quotas(plan: Plan) -> Report:
    """Row 16; the quota goes on `count` times, and off again."""
    with Trial(plan) as trial:
        set_produce_quota(trial.cluster.address, 1e9, CLIENT)
        trial.load(count=_BACKLOG, rate=0, pad=_PAD, kind="noisy")
        trial.end_load()
        trial.load(pad=_PAD, kind="noisy")
        trial.follow()
        set_produce_quota(trial.cluster.address, QUOTA)
        trial.crew.start(_WORKERS)
        for number in range(plan.count):
            set_produce_quota(trial.cluster.address, QUOTA)
            trial.fault("quota on")
            trial.wait(trial.random.uniform(*_LASTS) * plan.pace)
            set_produce_quota(trial.cluster.address, None)
            trial.fault("quota off")
            assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow"
            trial.wait(trial.random.uniform(2.0, 10.0) * plan.pace)
            trial.say(f"{number + 1}/{plan.count} times")
        report = trial.report("16", "quotas switched on and off")
    report.times.append(Goal("longest stall, s", report.longest_stall, STALL))
    return report
