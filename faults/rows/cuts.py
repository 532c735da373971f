"""Row 17: one worker cut off from one of three brokers."""

from faults.conclusion import conclude
from faults.placement import TOPICS, leaders, place
from faults.plan import Plan
from faults.proxy import NORMAL, Proxies
from faults.report import RowReport
from faults.rows.network import SILENT
from faults.trial import TARGET, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS

_NODES = 3
_WORKERS = 3
_DURATION = (10.0, 90.0)  # seconds
_ENDS = {69, 70}  # no broker answers; partitions or transaction lost
_ROLES = (("group coordinator", GROUPS), ("transaction coordinator", TRANSACTIONS), ("partition leader", TARGET))


def cuts(plan: Plan) -> RowReport:
    """Row 17; only this worker uses the proxies, and the broker that it cannot reach has only one role."""
    with Proxies(_NODES, plan.seed) as proxies, Trial(plan, nodes=_NODES, proxied_listeners=proxies.listeners) as trial:
        trial.pool.start(_WORKERS - 1)
        trial.pool.start(1, {"Quix__Broker__Address": proxies.address})
        trial.load()
        trial.follow()
        for number in range(plan.count):
            role, topic = _ROLES[number % len(_ROLES)]
            trial.wait_for_output()
            node = trial.random.randint(1, _NODES)
            _lead_only(trial, node, topic, trial.random.choice(trial.partitions) if topic == TARGET else 0)
            trial.wait_for_output()
            trial.wait_for_workers(_WORKERS)
            proxies.each[node - 1].conditions = SILENT
            trial.fault(f"cut off from the {role}", resume=False)
            trial.pause(*_DURATION)
            proxies.each[node - 1].conditions = NORMAL
            trial.reader.mark()
            trial.wait_until_resumed()
            trial.say(f"{number + 1}/{plan.count} cuts from the {role}")
        return conclude(trial, ends=_ENDS)


def _lead_only(trial: Trial, node: int, topic: str, partition: int) -> None:
    """Make a broker the leader of this partition, and of no other partition."""
    others = [other for other in range(1, _NODES + 1) if other != node]
    for name in TOPICS:
        replicas = {number: [*trial.random.sample(others, len(others)), node] for number in leaders(trial, name)}
        if name == topic:
            replicas[partition] = [node, *others]
        place(trial, name, replicas)
