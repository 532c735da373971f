"""The coordinators of consumer groups and of transactions: whether there is one, and why not.

A coordinator is the leader of a partition of an internal topic. The brokers create that topic at the first request,
with as many replicas as one of their settings says; with fewer brokers, there is no topic and no coordinator.
"""

from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ResourceType

from runtime import limits
from runtime.connect.broker import BrokerAdmin, in_background
from runtime.connect.destroy import destroy
from runtime.connect.repeating_admin import NO_ANSWER, timeouts
from runtime.connect.replicas import replicas_error
from runtime.connect.topic_facts import number
from runtime.errors import Misconfigured, PipelineError, Unavailable
from runtime.explain import COORDINATOR_AWAY

_OF_THE_TOPIC = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART}
_DEFAULT_FACTOR = 3  # Kafka's, of both topics


class Coordinator(NamedTuple):
    """A kind of coordinator, its internal topic, and the broker settings by which the topic is created."""

    of: str
    topic: str
    factor: str
    in_sync: str


GROUPS = Coordinator("consumer groups", "__consumer_offsets", "offsets.topic.replication.factor", "min.insync.replicas")
TRANSACTIONS = Coordinator(
    "transactions",
    "__transaction_state",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
)


def wait_for_group_coordinator(
    broker: BrokerAdmin, group: str, topic: str, timeout: float = limits.START_TIMEOUT
) -> None:
    """Wait until the consumer group has a coordinator. It is not joined, and need not exist.

    A consumer asks for the coordinator twice a second. An admin client asks three times within 0.5 s, and if the answer
    to a request that has timed out arrives, librdkafka 2.16.0 aborts the process (rdkafka_admin.c, "coordinator").

    Args:
        broker: is asked.
        group: the consumer group.
        topic: the group's offset of its first partition is requested; the topic need not exist.
        timeout: seconds.

    Raises:
        KafkaException: it has none within `timeout`, or a permission is missing.
        Stopped: a signal asked to stop meanwhile.
    """
    own = {"group.id": group, "isolation.level": "read_uncommitted", "enable.auto.commit": False, "log_level": 0}
    clients: list[Any] = [Consumer({**broker.connection.as_librdkafka_dict(), **own})]
    error: KafkaError | None = None
    try:
        for seconds in timeouts(timeout):
            if (error := _offset_error(broker, clients[0], topic, seconds)) is None:
                return
            if error.code() not in COORDINATOR_AWAY | NO_ANSWER:
                break
    finally:
        destroy(clients)
    raise KafkaException(error)


def _offset_error(broker: BrokerAdmin, consumer: Consumer, topic: str, timeout: float) -> KafkaError | None:
    """Request the group's offset of a topic, and give the error, if there is one."""
    request = partial(consumer.committed, [TopicPartition(topic, 0)], timeout=timeout)
    try:
        (place,) = broker.ask(in_background(request))
    except KafkaException as error:
        message = consumer.poll(0)  # if the permission on the group is missing, only this says so
        refused: KafkaError = (message and message.error()) or error.args[0]
        return refused
    error_of_topic: KafkaError | None = place.error
    return None if error_of_topic and error_of_topic.code() in _OF_THE_TOPIC else error_of_topic


def no_coordinator(broker: BrokerAdmin, coordinator: Coordinator) -> PipelineError:
    """Give the error if brokers answer, but none of them is the coordinator.

    Raises:
        KafkaException: no broker answers any more.
    """
    nodes = broker.nodes(limits.CAUSE_TIMEOUT)
    text = f"the brokers at {broker.address} answer, but none of them coordinates {coordinator.of}"
    if lacking := replicas_error(broker, coordinator.topic, coordinator.in_sync):
        return type(lacking)(f"{text}: {lacking}")
    exists = _exists(broker, coordinator.topic)
    factor = _factor(broker, coordinator, nodes[0].id)
    if exists or len(nodes) >= (factor or _DEFAULT_FACTOR):
        return Unavailable(f"{text}; restart, and read the brokers' logs if it lasts")
    count = f"there {'is only 1 broker' if len(nodes) == 1 else f'are only {len(nodes)} brokers'}"
    usual = f"the usual cause is {coordinator.factor} (default 3), as {count}"
    cause = f"{coordinator.factor} is {factor}, but {count}" if factor else usual
    remedy = f"{cause}; set it to {len(nodes)}, or start more brokers"
    if exists is None:  # it may exist, and other brokers may be away
        return Unavailable(f"{text}; restart, and if it lasts: {remedy}")
    return Misconfigured(f"{text}: {remedy}")


def _exists(broker: BrokerAdmin, topic: str) -> bool | None:
    """Whether the topic exists, or None if these credentials may not describe it or if the answer does not come."""
    try:
        broker.repeating.describe(topic, limits.CAUSE_TIMEOUT)
    except KafkaException as error:
        return False if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART else None
    return True


def _factor(broker: BrokerAdmin, coordinator: Coordinator, node: int) -> int:
    """How many replicas the brokers would create the topic with, or 0 if these credentials may not read that."""
    with suppress(KafkaException):
        config = broker.repeating.config(ResourceType.BROKER, f"{node}", limits.CAUSE_TIMEOUT)
        return number(config, coordinator.factor, 0)
    return 0
