"""Rows 6 and 16: a network that is slow, loses data, is a black hole or resets connections, and a quota of bytes."""

from dataclasses import replace

from faults.broker_admin import set_produce_quota
from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.load import CLIENT
from faults.plan import Plan
from faults.proxy import NORMAL, NetworkConditions, Proxies, Proxy
from faults.report import Limit, RowReport
from faults.trial import Trial

SLOW, LOSSY, SILENT = NetworkConditions(delay=0.1), NetworkConditions(lost=0.05), NetworkConditions(swallowed=True)
"""200 ms there and back, one chunk in twenty lost, or a black hole."""
BLACK_HOLES = (10.0, 60.0, 180.0)
"""Seconds."""
QUOTA = 50_000.0
"""Bytes per second. The load sends more."""
STALL = 60.0
"""Seconds in which each partition must have output."""

_DURATION = 20.0  # seconds of a slow or lossy network
_BACKLOG = 4000  # records
_PAD = 600  # bytes
_QUOTA_DURATION = (20.0, 40.0)  # seconds


def network(plan: Plan) -> RowReport:
    """Row 6: `count` times each of the six faults."""
    proxies = Proxies(1, plan.seed)
    plan = replace(plan, settings={**plan.settings, "Quix__Broker__Address": proxies.address})
    with proxies, Trial(plan, proxied_listeners=proxies.listeners) as trial:
        trial.start()
        for _ in trial.rounds("of each"):
            _each(trial, proxies.each[0])
        return conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)


def _each(trial: Trial, proxy: Proxy) -> None:
    kinds = {"200 ms": (SLOW, _DURATION), "5 % lost": (LOSSY, _DURATION)}
    kinds |= {f"black hole {seconds:g} s": (SILENT, seconds) for seconds in BLACK_HOLES}
    for kind, (conditions, seconds) in kinds.items():
        proxy.conditions = conditions
        trial.fault(kind, resume=False)
        trial.wait(seconds * trial.plan.pace)
        proxy.conditions = NORMAL
        _resume(trial)
    proxy.reset()
    trial.fault("reset", resume=False)
    _resume(trial)


def _resume(trial: Trial) -> None:
    trial.wait_for_new_output()
    trial.wait(2.0)


def quotas(plan: Plan) -> RowReport:
    """Row 16: the quota is switched on and off `count` times."""
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
            trial.pause(*_QUOTA_DURATION)
            set_produce_quota(trial.cluster.address, None)
            trial.fault("quota off")
            trial.wait_until_resumed()
            trial.pause(2.0, 10.0)
        report = conclude(trial)
    report.times.append(Limit("longest stall, s", report.longest_stall, STALL))
    return report
