"""Moves a topic's partitions and their leaders to chosen brokers (rows 15 and 17)."""

from collections.abc import Mapping, Sequence

from confluent_kafka import ElectionType, TopicPartition

from faults.broker_admin import reassign
from faults.trial import PATIENCE, SOURCE, TARGET, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS

TOPICS = (SOURCE, TARGET, GROUPS, TRANSACTIONS)


def leaders(trial: Trial, topic: str) -> dict[int, int]:
    """Return the number of each partition's leader; -1 for none."""
    found = trial.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return {number: partition.leader for number, partition in found.items()}


def place(trial: Trial, topic: str, replicas: Mapping[int, Sequence[int]]) -> None:
    """Move each partition to these brokers, the first of which is to lead it; return when that is done.

    Raises:
        AssertionError: it was not done in time.
    """
    reassign(trial.cluster.address, topic, replicas)
    trial.wait_for(lambda: _is_moved(trial, topic, replicas), f"{topic} to move to {replicas}")
    wanted = {number: nodes[0] for number, nodes in replicas.items()}
    places = [TopicPartition(topic, number) for number in wanted]
    trial.admin.elect_leaders(ElectionType.PREFERRED, places).result(PATIENCE)
    trial.wait_for(lambda: leaders(trial, topic) == wanted, f"the leaders {wanted} of {topic}")


def _is_moved(trial: Trial, topic: str, replicas: Mapping[int, Sequence[int]]) -> bool:
    """Whether these brokers are the partitions' replicas, and in sync."""
    found = trial.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return all(
        sorted(nodes) == sorted(found[number].replicas) == sorted(found[number].isrs)
        for number, nodes in replicas.items()
    )
