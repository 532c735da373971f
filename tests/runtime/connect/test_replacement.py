"""The worker that has replaced this one, without one; tests/pipeline/test_instance_id.py has two workers."""

import pytest
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.replacement import Replacement
from tests.kafka import Kafka


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CAUSE_TIMEOUT", 0.1)


def replacement(address: str, instance_id: str | None) -> Replacement:
    """Of a worker in an empty group."""
    return Replacement(BrokerAdmin(ConnectionConfig(bootstrap_servers=address)), "alone", "in", instance_id, dict)


@pytest.mark.parametrize("instance_id", ["one", None])
def test_not_replaced(kafka: Kafka, instance_id: str | None) -> None:
    """Without another worker there is no such error: a commit took too long."""
    assert replacement(kafka.address, instance_id).explain() is None


def test_no_broker(free_port: int) -> None:
    """If no broker answers, there is no such error."""
    assert replacement(f"127.0.0.1:{free_port}", "one").explain() is None


def test_mark(kafka: Kafka) -> None:
    """Only with an INSTANCE_ID, the metadata of a commit have more than the topic id."""
    assert replacement(kafka.address, "one").mark.startswith("instance:one client:")
    assert not replacement(kafka.address, None).mark
