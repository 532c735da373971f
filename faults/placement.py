"""Which brokers hold a topic's partitions, and which of them lead."""

from collections.abc import Mapping, Sequence

from confluent_kafka import ElectionType, TopicPartition

from faults.broker_admin import reassign
from faults.trial import PATIENCE, SOURCE, TARGET, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS

TOPICS = (SOURCE, TARGET, GROUPS, TRANSACTIONS)


def leaders(trial: Trial, topic: str) -> dict[int, int]:
    """Give the number of the broker that leads each partition; -1 for none."""
    found = trial.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return {number: partition.leader for number, partition in found.items()}


def place(trial: Trial, topic: str, replicas: Mapping[int, Sequence[int]]) -> None:
    """Let these brokers hold each partition and the first of them lead it; return when that is so.

    Raises:
        AssertionError: it is not so in time.
    """
    reassign(trial.cluster.address, topic, replicas)
    assert trial.until(lambda: _is_held(trial, topic, replicas), PATIENCE), f"{topic} does not move to {replicas}"
    wanted = {number: nodes[0] for number, nodes in replicas.items()}
    places = [TopicPartition(topic, number) for number in wanted]
    trial.admin.elect_leaders(ElectionType.PREFERRED, places).result(PATIENCE)
    assert trial.until(lambda: leaders(trial, topic) == wanted, PATIENCE), f"the leaders of {topic} are not {wanted}"


def _is_held(trial: Trial, topic: str, replicas: Mapping[int, Sequence[int]]) -> bool:
    """Whether these brokers, and no other, hold the partitions, and have all records."""
    found = trial.admin.list_topics(topic, timeout=10).topics[topic].partitions
    return all(
        sorted(nodes) == sorted(found[number].replicas) == sorted(found[number].isrs)
        for number, nodes in replicas.items()
    )
