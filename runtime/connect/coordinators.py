"""The coordinators of consumer groups and of transactions: whether there is one, and why not.

A coordinator is the leader of a partition of an internal topic. The brokers create that topic at the first request,
with as many replicas as one of their settings says; with fewer brokers, there is no topic and no coordinator.
"""

from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ResourceType
from loguru import logger

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.repeating_admin import NO_ANSWER, timeouts
from runtime.connect.replicas import replicas_error
from runtime.connect.topic_facts import number
from runtime.errors import Misconfigured, PipelineError, Unavailable
from runtime.explain import COORDINATOR_AWAY

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


def wait_for_group_coordinator(broker: BrokerAdmin, group: str, timeout: float = limits.START_TIMEOUT) -> None:
    """Wait until the consumer group has a coordinator. It is not joined, and need not exist.

    Raises:
        KafkaException: it has none within `timeout` seconds, or a permission is missing.
        Stopped: a signal asked to stop meanwhile.
    """
    last: KafkaException | None = None
    for seconds in timeouts(timeout):
        (answer,) = broker.admin.describe_consumer_groups([group], request_timeout=seconds).values()
        try:
            broker.ask(answer)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return
            if code not in COORDINATOR_AWAY | NO_ANSWER:
                raise
            if last is None:
                logger.info("waiting for up to {:.0f} s for a coordinator of the consumer group {}", timeout, group)
            last = error
        else:
            return
    assert last is not None
    raise last


def no_coordinator(broker: BrokerAdmin, coordinator: Coordinator) -> PipelineError:
    """Give the error if brokers answer, but none of them is the coordinator.

    Raises:
        KafkaException: no broker answers any more.
    """
    nodes = broker.nodes(limits.CAUSE_TIMEOUT)
    text = f"the brokers at {broker.address} answer, but none of them coordinates {coordinator.of}"
    if lacking := replicas_error(broker, coordinator.topic, coordinator.in_sync):
        return type(lacking)(f"{text}: {lacking}")
    later = Unavailable(f"{text} within {limits.START_TIMEOUT:.0f} s; restart, and read the brokers' logs if it lasts")
    if _exists(broker, coordinator.topic):
        return later
    count = f"there {'is only 1 broker' if len(nodes) == 1 else f'are only {len(nodes)} brokers'}"
    remedy = f"set it to {len(nodes)}, or start more brokers"
    factor = _factor(broker, coordinator, nodes[0].id)
    if not factor and len(nodes) < _DEFAULT_FACTOR:
        return Misconfigured(f"{text}: the usual cause is {coordinator.factor} (default 3), as {count}; {remedy}")
    if len(nodes) < factor:
        return Misconfigured(f"{text}: {coordinator.factor} is {factor}, but {count}; {remedy}")
    return later


def _exists(broker: BrokerAdmin, topic: str) -> bool:
    """Whether the topic exists, and these credentials may describe it."""
    with suppress(KafkaException):
        broker.repeating.describe(topic, limits.CAUSE_TIMEOUT)
        return True
    return False


def _factor(broker: BrokerAdmin, coordinator: Coordinator, node: int) -> int:
    """How many replicas the brokers would create the topic with; 0 if these credentials may not read that."""
    with suppress(KafkaException):
        config = broker.repeating.config(ResourceType.BROKER, f"{node}", limits.CAUSE_TIMEOUT)
        return number(config, coordinator.factor, 0)
    return 0
