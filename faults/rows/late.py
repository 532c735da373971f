"""Row 13: requests of a transaction that reach the broker while the next transaction is open."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from faults.conclusion import conclude
from faults.late import Attack, LateProxy, Phase
from faults.plan import Plan
from faults.proxy import Proxies
from faults.report import Limit, RowReport
from faults.trial import PATIENCE, WITH_INSTANCE_ID, WITHOUT_INSTANCE_ID, Trial
from faults.wire import ADD_PARTITIONS, NAMES, PRODUCE, TXN_OFFSET_COMMIT

_MOMENTS = (ADD_PARTITIONS, PRODUCE, TXN_OFFSET_COMMIT)
"""A late request is delivered after the response to one of these requests of the next transaction."""
_TRIES = 3  # of one attack: a worker that exits meanwhile ends it
_DELIVERED_WITHIN = 60.0  # seconds
_PAUSES = (0.3, 1.5)  # seconds


def with_instance_id(plan: Plan) -> RowReport:
    """Row 13: a worker with an INSTANCE_ID, whose transactional id stays the same when it starts again."""
    return _late_requests(plan, WITH_INSTANCE_ID)


def without_instance_id(plan: Plan) -> RowReport:
    """Row 13b: a worker without an INSTANCE_ID."""
    return _late_requests(plan, WITHOUT_INSTANCE_ID)


def _late_requests(plan: Plan, names: Mapping[str, str]) -> RowReport:
    proxies = Proxies(1, plan.seed, LateProxy)
    plan = replace(plan, settings={"Quix__Broker__Address": proxies.address, **names, **plan.settings})
    with proxies, Trial(plan, proxied_listeners=proxies.listeners) as trial:
        proxy = proxies.each[0]
        assert isinstance(proxy, LateProxy)
        trial.start(1)
        for number in trial.rounds("attacks"):
            kind = list(NAMES)[number % len(NAMES)]
            # What a late TxnOffsetCommit has done shows only when a worker starts at the committed offset.
            attack = Attack(kind, trial.random.choice(_MOMENTS), stop_after_commit=kind == TXN_OFFSET_COMMIT)
            _attack(trial, proxy, attack)
        trial.until(lambda: not trial.reader.check.open_faults, PATIENCE)
        report = conclude(trial)
    _add_figures(report, proxy)
    report.goals.append(Limit("late requests not delivered", plan.count - len(proxy.delivered), 0))
    return report


def _attack(trial: Trial, proxy: LateProxy, attack: Attack) -> None:
    """Attack until the late request has been delivered."""
    before = len(proxy.delivered)
    for _ in range(_TRIES):
        trial.wait_for_output()
        trial.pause(*_PAUSES)
        _try(trial, proxy, attack)
        if len(proxy.delivered) > before:
            return


def _try(trial: Trial, proxy: LateProxy, attack: Attack) -> None:
    """Attack once. The attack ends if the worker exits."""
    trial.wait_for_workers(1)
    (worker,) = trial.pool.alive()
    proxy.arm(attack)
    trial.fault(f"late {NAMES[attack.kind]}")
    ended = {Phase.IDLE, Phase.COMMITTED}
    trial.until(lambda: proxy.phase in ended or not worker.running, _DELIVERED_WITHIN)
    if proxy.phase is Phase.COMMITTED:
        worker.kill()
        trial.reader.mark()
        trial.pool.start()
    proxy.end()


def _add_figures(report: RowReport, proxy: LateProxy) -> None:
    """Add the broker's responses to the late requests, by kind."""
    found = Counter(f"late {NAMES[late.attack.kind]} answered with {late.error}" for late in proxy.delivered)
    renewed = Counter(f"late {NAMES[late.attack.kind]} after a new epoch" for late in proxy.delivered if late.new_epoch)
    report.figures |= dict(sorted((found + renewed).items()))
