"""Whether the partitions of a topic have the replicas that a write needs."""

from confluent_kafka import KafkaException, TopicPartitionInfo
from confluent_kafka.admin import ResourceType, TopicDescription

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.diagnose import KafkaVersion, kafka_version
from runtime.connect.topic_facts import number
from runtime.errors import Misconfigured, PipelineError, Unavailable

IN_SYNC = "min.insync.replicas"


def replicas_error(broker: BrokerAdmin, topic: str, setting: str | None = IN_SYNC) -> PipelineError | None:
    """Give the error if a partition lacks replicas, or None if none does or if these credentials may not describe it.

    Args:
        broker: is asked.
        topic: the topic's name.
        setting: the setting that the error names: how many replicas must be in sync. None if the topic is only read,
            for which a leader is enough.
    """
    try:
        description = broker.repeating.describe(topic, limits.CAUSE_TIMEOUT)
        if setting is None:
            return lacking_replicas(broker, description, 0)
        required = number(broker.repeating.config(ResourceType.TOPIC, topic, limits.CAUSE_TIMEOUT), IN_SYNC, 1)
    except KafkaException:
        return None
    return lacking_replicas(broker, description, required, setting)


def lacking_replicas(
    broker: BrokerAdmin, topic: TopicDescription, required: int, setting: str = IN_SYNC
) -> PipelineError | None:
    """Give the error if a partition of this topic lacks replicas, or None if none does.

    A broker since Kafka 3.7 takes records if all replicas are in sync, however few they are.
    """
    for partition in topic.partitions:
        error = partition_error(f"{topic.name}[{partition.id}]", partition, required, setting)
        all_in_sync = isinstance(error, Misconfigured) and len(partition.isr) == len(partition.replicas)
        if error and not (all_in_sync and kafka_version(broker.connection) is not KafkaVersion.OLDER):
            return error
    return None


def partition_error(place: str, partition: TopicPartitionInfo, required: int, setting: str) -> PipelineError | None:
    """Give the error if this partition lacks replicas, or None if it does not."""
    count, in_sync = len(partition.replicas), len(partition.isr)
    if partition.leader is None or partition.leader.id < 0:
        return Unavailable(f"{place} has no leader (LEADER_NOT_AVAILABLE): start the brokers that have its replicas")
    if in_sync >= required:
        return None
    text = (
        f"{place} refuses records (NOT_ENOUGH_REPLICAS): {in_sync} of its {count} replicas are in sync, and {setting}"
    )
    if count < required:
        return Misconfigured(f"{text} is {required}; lower it, or create the topic with more replicas")
    return Unavailable(f"{text} is {required}; start the other brokers, or lower it")
