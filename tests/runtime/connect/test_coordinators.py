"""Coordinators that exist, or come late. For brokers without, see tests/pipeline/test_broker_settings.py."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from confluent_kafka.admin import AclOperation, NewTopic, ResourceType
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.coordinators import GROUPS, no_coordinator, wait_for_group_coordinator
from runtime.errors import Misconfigured, Unavailable
from tests.brokers import AUTHORIZED, NO_GROUPS, IncompleteBroker, hide
from tests.kafka import TIMEOUT, Kafka
from tools.broker.embedded import Broker
from tools.waiting import wait_until


def test_group_without_members(kafka: Kafka) -> None:
    """A group that does not exist has a coordinator, and does not exist afterwards. The topic need not exist either."""
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address))
    wait_for_group_coordinator(broker, "group-without-members", "absent")
    groups = broker.admin.list_consumer_groups(request_timeout=30).result().valid
    assert "group-without-members" not in {group.group_id for group in groups}


@pytest.mark.long
def test_late_coordinator() -> None:
    """A coordinator that comes after some seconds is found: a new broker takes so long to create its topic."""
    with IncompleteBroker(properties=NO_GROUPS) as late, ThreadPoolExecutor() as pool:
        broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=late.address))
        waiting = pool.submit(wait_for_group_coordinator, broker, "group", "in")
        assert wait([waiting], 3.0).not_done, "an admin client asks for 0.5 s only"
        topic = NewTopic(GROUPS.topic, 1, 1, config={"cleanup.policy": "compact"})
        broker.admin.create_topics([topic])[GROUPS.topic].result(TIMEOUT)
        waiting.result(limits.START_TIMEOUT)


def test_no_cause(kafka: Kafka) -> None:
    """If the settings are right, the line says so much as is known, and a restart may help."""
    error = no_coordinator(BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address)), GROUPS)
    assert type(error) is Unavailable
    assert "answer, but none of them coordinates consumer groups; restart" in f"{error}"


@pytest.mark.long
def test_hidden_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """If topic and settings are hidden, a restart may help, as brokers may be away, but not if the topic is absent."""
    with Broker(properties=AUTHORIZED) as hiding:
        broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=hiding.address))
        hide(hiding.address, ResourceType.TOPIC, GROUPS.topic, AclOperation.DESCRIBE)
        hide(hiding.address, ResourceType.BROKER, "kafka-cluster", AclOperation.DESCRIBE_CONFIGS)
        absent = GROUPS._replace(topic="absent")
        wait_until(lambda: GROUPS.factor in f"{no_coordinator(broker, GROUPS)}", "the rules")
        one = no_coordinator(broker, GROUPS)
        nodes = broker.nodes(TIMEOUT)
        monkeypatch.setattr(BrokerAdmin, "nodes", lambda *_: 2 * nodes)
        two, two_absent = no_coordinator(broker, GROUPS), no_coordinator(broker, absent)
    usual = f"the usual cause is {GROUPS.factor} (default 3), as there"
    for error, kind, said in (
        (one, Unavailable, f"restart, and if it lasts: {usual} is only 1 broker; set it to 1, or start more brokers"),
        (two, Unavailable, f"restart, and if it lasts: {usual} are only 2 brokers; set it to 2, or start more brokers"),
        (two_absent, Misconfigured, f"consumer groups: {usual} are only 2 brokers; set it to 2"),
    ):
        assert type(error) is kind
        assert said in f"{error}"
