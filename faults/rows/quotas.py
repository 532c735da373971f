"""Row 16: a quota on the bytes per second that the workers may produce."""

from faults.broker_admin import set_produce_quota
from faults.conclusion import conclude
from faults.load import CLIENT
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import Trial

QUOTA = 50_000.0
"""Bytes per second; the load sends more."""
STALL = 60.0
"""Seconds in which each partition must have output."""

_BACKLOG = 4000  # records
_PAD = 600  # bytes
_DURATION = (20.0, 40.0)  # seconds


def quotas(plan: Plan) -> RowReport:
    """Row 16; the quota is switched on and off `count` times."""
    with Trial(plan) as trial:
        set_produce_quota(trial.cluster.address, 1e9, CLIENT)
        trial.load(count=_BACKLOG, rate=0, pad=_PAD, kind="noisy")
        trial.end_load()
        trial.load(pad=_PAD, kind="noisy")
        trial.follow()
        set_produce_quota(trial.cluster.address, QUOTA)
        trial.pool.start(2)
        for _ in trial.rounds("times"):
            set_produce_quota(trial.cluster.address, QUOTA)
            trial.fault("quota on")
            trial.pause(*_DURATION)
            set_produce_quota(trial.cluster.address, None)
            trial.fault("quota off")
            trial.wait_until_resumed()
            trial.pause(2.0, 10.0)
        report = conclude(trial)
    report.times.append(Limit("longest stall, s", report.longest_stall, STALL))
    return report
