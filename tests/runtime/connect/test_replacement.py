"""The worker that has replaced this one. The tests with two workers are in tests/pipeline/test_instance_id.py."""

from collections.abc import Callable
from contextlib import closing

import pytest
from confluent_kafka import Consumer
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.replacement import Replacement
from tests.kafka import Kafka
from tools.waiting import wait_until


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CAUSE_TIMEOUT", 0.1)


def replacement(address: str, instance_id: str | None, group: str = "alone") -> Replacement:
    """Of a worker in this group, by default an empty one."""
    return Replacement(BrokerAdmin(ConnectionConfig(bootstrap_servers=address)), group, "in", instance_id, dict)


def test_not_replaced(kafka: Kafka) -> None:
    """Without another worker there is no such error: a commit took too long."""
    assert replacement(kafka.address, "one").explain() is None


def test_has_joined(kafka: Kafka, topics: Callable[..., str]) -> None:
    """It has joined if the group has another member with this INSTANCE_ID, and this worker has joined before."""
    topic = topics("joined")
    own = {"bootstrap.servers": kafka.address, "group.id": topic, "group.instance.id": "one"}
    limits.CAUSE_TIMEOUT = 60.0  # `_short` restores it
    with closing(Consumer(own)) as member:
        member.subscribe([topic])
        wait_until(lambda: member.poll(0.05) is None and member.assignment(), "its partition")
        tested = {name: replacement(kafka.address, name, topic) for name in ("one", "two", None)}
        found = {}
        for member_id in (None, "earlier", member.memberid()):
            for name, each in tested.items():
                each.member_id = member_id
                found[name, member_id] = each.has_joined()
    assert [key for key, value in found.items() if value] == [("one", "earlier")]


def test_no_broker(free_port: int) -> None:
    """If no broker answers, there is no such error."""
    assert replacement(f"127.0.0.1:{free_port}", "one").explain() is None


def test_mark(kafka: Kafka) -> None:
    """Only with an INSTANCE_ID, the metadata of a commit have more than the topic id."""
    assert replacement(kafka.address, "one").mark.startswith("instance:one client:")
    assert not replacement(kafka.address, None).mark
