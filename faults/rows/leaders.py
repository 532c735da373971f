"""Rows 15 and 17: partitions that move to other brokers, and one worker cut off from the leader of some."""

from collections.abc import Mapping, Sequence

from confluent_kafka import ElectionType, TopicPartition

from faults.broker_admin import reassign
from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.plan import Plan
from faults.proxy import NORMAL, Proxies
from faults.report import RowReport
from faults.rows.network import SILENT
from faults.trial import PATIENCE, SOURCE, TARGET, WORKERS, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS

_NODES = range(1, 4)
_TOPICS = (SOURCE, TARGET, GROUPS, TRANSACTIONS)
_ROLES = (("group coordinator", GROUPS), ("transaction coordinator", TRANSACTIONS), ("partition leader", TARGET))
_DURATION = (10.0, 90.0)  # seconds
# Two brokers of three hold each partition, so that it can move to the third.
_TWO_OF_THREE = {
    "default.replication.factor": "2",
    "offsets.topic.replication.factor": "2",
    "transaction.state.log.replication.factor": "2",
    "min.insync.replicas": "1",
    "transaction.state.log.min.isr": "1",
}


def moves(plan: Plan) -> RowReport:
    """Row 15: each time, all partitions of one topic move: of the input, the output, or one of Kafka's own topics."""
    with Trial(plan, nodes=len(_NODES), properties=_TWO_OF_THREE) as trial:
        trial.start()
        for number in trial.rounds("moves"):
            topic = _TOPICS[number % len(_TOPICS)]
            trial.fault(f"{topic} reassigned", resume=False)
            leaders = _leaders(trial, topic).items()
            _move(trial, topic, {place: trial.random.sample(_all_except(leader), 2) for place, leader in leaders})
            trial.wait_for_new_output()
            trial.pause(1.0, 8.0)
        return conclude(trial)


def cuts(plan: Plan) -> RowReport:
    """Row 17: only one worker uses the proxies, and the broker that it cannot reach has only one role."""
    proxies = Proxies(len(_NODES), plan.seed)
    with proxies, Trial(plan, nodes=len(_NODES), proxied_listeners=proxies.listeners) as trial:
        trial.pool.start(1, {"Quix__Broker__Address": proxies.address})
        trial.start(WORKERS - 1)
        for number in trial.rounds("cuts"):
            role, topic = _ROLES[number % len(_ROLES)]
            trial.wait_for_output()
            node = trial.random.choice(_NODES)
            _lead_only(trial, node, topic, trial.random.choice(trial.partitions) if topic == TARGET else 0)
            trial.wait_for_output()
            trial.wait_for_workers(WORKERS)
            proxies.each[node - 1].conditions = SILENT
            trial.fault(f"cut off from the {role}", resume=False)
            trial.pause(*_DURATION)
            proxies.each[node - 1].conditions = NORMAL
            trial.wait_for_new_output()
        return conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)


def _all_except(node: int) -> list[int]:
    return [other for other in _NODES if other != node]


def _lead_only(trial: Trial, node: int, topic: str, partition: int) -> None:
    """Make a broker the leader of this partition, and of no other partition."""
    others = _all_except(node)
    for name in _TOPICS:
        replicas = {number: [*trial.random.sample(others, len(others)), node] for number in _leaders(trial, name)}
        if name == topic:
            replicas[partition] = [node, *others]
        _move(trial, name, replicas)


def _leaders(trial: Trial, topic: str) -> dict[int, int]:
    """Return the number of each partition's leader, or -1 for none."""
    found = trial.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return {number: partition.leader for number, partition in found.items()}


def _move(trial: Trial, topic: str, replicas: Mapping[int, Sequence[int]]) -> None:
    """Move each partition to these brokers, the first of which is to lead it, and return when that is done.

    Raises:
        AssertionError: it was not done in time.
    """
    reassign(trial.cluster.address, topic, replicas)
    trial.wait_for(lambda: _is_moved(trial, topic, replicas), f"{topic} to move to {replicas}")
    wanted = {number: nodes[0] for number, nodes in replicas.items()}
    places = [TopicPartition(topic, number) for number in wanted]
    trial.admin.elect_leaders(ElectionType.PREFERRED, places).result(PATIENCE)
    trial.wait_for(lambda: _leaders(trial, topic) == wanted, f"the leaders {wanted} of {topic}")


def _is_moved(trial: Trial, topic: str, replicas: Mapping[int, Sequence[int]]) -> bool:
    """Whether these brokers are the partitions' replicas, and in sync."""
    found = trial.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return all(
        sorted(nodes) == sorted(found[number].replicas) == sorted(found[number].isrs)
        for number, nodes in replicas.items()
    )
