"""Row 6: the network between workers and broker is slow, loses data, is a black hole, or resets connections."""

from dataclasses import replace

from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.plan import Plan
from faults.proxy import NORMAL, NetworkConditions, Proxies, Proxy
from faults.report import RowReport
from faults.trial import Trial

SLOW, LOSSY, SILENT = NetworkConditions(delay=0.1), NetworkConditions(lost=0.05), NetworkConditions(swallowed=True)
"""200 ms there and back; one chunk in twenty lost; a black hole."""
BLACK_HOLES = (10.0, 60.0, 180.0)
"""Seconds."""

_DURATION = 20.0  # seconds of a slow or lossy network


def network(plan: Plan) -> RowReport:
    """Row 6; `count` times each of the six."""
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
