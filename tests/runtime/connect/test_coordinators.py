"""Coordinators on a broker that has them; tests/pipeline/test_broker_settings.py has brokers without."""

from quixstreams.kafka import ConnectionConfig

from runtime.connect.broker import BrokerAdmin
from runtime.connect.coordinators import GROUPS, no_coordinator, wait_for_group_coordinator
from runtime.errors import Unavailable
from tests.kafka import Kafka


def test_group_without_members(kafka: Kafka) -> None:
    """A group that does not exist has a coordinator, and does not exist afterwards."""
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address))
    wait_for_group_coordinator(broker, "group-without-members")
    groups = broker.admin.list_consumer_groups(request_timeout=30).result().valid
    assert "group-without-members" not in {group.group_id for group in groups}


def test_no_cause(kafka: Kafka) -> None:
    """If the settings are right, the line says so much as is known, and a restart may help."""
    error = no_coordinator(BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address)), GROUPS)
    assert type(error) is Unavailable
    assert "answer, but none of them coordinates consumer groups within 25 s" in f"{error}"
