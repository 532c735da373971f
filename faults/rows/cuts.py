"""Row 17: one worker that reaches all brokers except one."""

from faults.placement import TOPICS, leaders, place
from faults.plan import Plan
from faults.proxy import FAIR, Proxies
from faults.report import Report
from faults.rows.network import SILENT
from faults.trial import PATIENCE, TARGET, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS

_NODES = 3
_WORKERS = 3
_LASTS = (10.0, 90.0)  # seconds
_ENDS = {69, 70}  # no broker answers; the group, or the transaction, is gone
_ROLES = (("group coordinator", GROUPS), ("transaction coordinator", TRANSACTIONS), ("partition leader", TARGET))


def cuts(plan: Plan) -> Report:
    """Row 17; proxies are between this worker and the brokers only, and the broker has no other role meanwhile."""
    with Proxies(_NODES, plan.seed) as proxies, Trial(plan, nodes=_NODES, proxied_listener=proxies.detours) as trial:
        trial.crew.start(_WORKERS - 1)
        trial.crew.start(1, {"Quix__Broker__Address": proxies.address})
        trial.load()
        trial.follow()
        for number in range(plan.count):
            role, topic = _ROLES[number % len(_ROLES)]
            trial.wait_for_output()
            node = trial.random.randint(1, _NODES)
            _lead_only(trial, node, topic, trial.random.choice(trial.partitions) if topic == TARGET else 0)
            trial.wait_for_output()
            assert trial.until(lambda: len(trial.crew.alive()) == _WORKERS, PATIENCE), "the workers did not come up"
            proxies.each[node - 1].weather = SILENT
            trial.fault(f"cut off from the {role}", resume=False)
            trial.wait(trial.random.uniform(*_LASTS) * plan.pace)
            proxies.each[node - 1].weather = FAIR
            trial.reader.mark()
            assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow again"
            trial.say(f"{number + 1}/{plan.count} cuts from the {role}")
        return trial.report("17", "one worker cut off from one broker", ends=_ENDS)


def _lead_only(trial: Trial, node: int, topic: str, partition: int) -> None:
    """Let a broker lead this partition, and no other partition of any topic."""
    others = [other for other in range(1, _NODES + 1) if other != node]
    for name in TOPICS:
        replicas = {number: [*trial.random.sample(others, len(others)), node] for number in leaders(trial, name)}
        if name == topic:
            replicas[partition] = [node, *others]
        place(trial, name, replicas)
