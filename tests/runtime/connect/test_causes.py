"""The causes of errors that say only that something took too long. For faulty brokers, see tests/pipeline."""

from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect import coordinators
from runtime.connect.broker import BrokerAdmin
from runtime.connect.causes import Causes
from runtime.connect.replacement import Replacement
from runtime.errors import Failed, Misconfigured, OutputTooSlow, Unavailable
from runtime.explain import EVICTED_TEXT, explain
from tests.kafka import TIMEOUT, Kafka
from tools.broker.cluster import GROUPS, TRANSACTIONS, Cluster
from tools.waiting import wait_until

TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT, "Failed to get it: Local: Timed out"))


def causes(address: str, topic: str = "causes", *, reads: bool = False) -> Causes:
    """The causes of a broker at this address, for a topic that is written to, or only read."""
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=address))
    return Causes(broker, read=[topic]) if reads else Causes(broker, topic)


FENCED = KafkaException(KafkaError(KafkaError._FENCED, "This instance was fenced"))
REMOVED = KafkaException(KafkaError(KafkaError._MAX_POLL_EXCEEDED))


@pytest.mark.parametrize(
    "error",
    [
        Misconfigured("known"),
        OutputTooSlow("slow"),
        KeyError(),
        REMOVED,
        Failed(EVICTED_TEXT),
    ],
)
def test_kept(kafka: Kafka, error: Exception) -> None:
    """An error that tells its cause is kept, and so is one without a cause to be found."""
    assert causes(kafka.address).explain(error) is error


@pytest.mark.parametrize("replaced", [Misconfigured("replaced by another one"), None])
def test_replaced(kafka: Kafka, replaced: Misconfigured | None) -> None:
    """The worker that replaced this one is the cause of a fence."""
    error = KafkaException(KafkaError(KafkaError._FENCED))
    replacement = cast("Any", SimpleNamespace(explain=lambda: replaced, instance_id="one"))
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address))
    assert Causes(broker, replacement=replacement).explain(error) is (replaced or error)


def test_fenced_without_instance_id(kafka: Kafka) -> None:
    """Without an INSTANCE_ID, no other worker is blamed for a fence: the transaction took too long."""
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address))
    replacement = Replacement(broker, "alone", "in", None, dict)
    explained = Causes(broker, replacement=replacement).explain(FENCED, coordinators.TRANSACTIONS)
    assert type(explained) is Failed
    assert "longer than transaction.timeout.ms (COMMIT_INTERVAL + 14 s)" in f"{explained}"
    assert "(This instance was fenced)" in f"{explained}"
    assert "INSTANCE_ID" not in f"{explained}"


@pytest.mark.parametrize("kind", [coordinators.GROUPS, coordinators.TRANSACTIONS])
@pytest.mark.parametrize(
    "code",
    [
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError.UNKNOWN,
    ],
)
def test_coordinator_answers(kafka: Kafka, code: int, kind: coordinators.Coordinator) -> None:
    """A coordinator that answers is not said to be missing, so no broker setting is guessed: a restart may help."""
    error = KafkaException(KafkaError(code))
    assert causes(kafka.address).explain(error, kind) is error
    explained = explain(error, kafka.address)
    assert type(explained) is Unavailable
    assert KafkaError(code).str() in f"{explained}"


def test_answers_now(kafka: Kafka) -> None:
    """If the broker answers, no line says that none does."""
    explained = causes(kafka.address).explain(TIMED_OUT)
    assert type(explained) is Unavailable
    assert "answer, but one did not in time" in f"{explained}"
    assert "Failed to get it" in f"{explained}"


def test_no_broker(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """If no broker answers, the error is kept."""
    monkeypatch.setattr(limits, "CAUSE_TIMEOUT", 0.1)
    assert causes(f"127.0.0.1:{free_port}").explain(TIMED_OUT) is TIMED_OUT


def test_join(kafka: Kafka, lines: list[str]) -> None:
    """A long join without a cause is a warning."""
    causes(kafka.address).check_join()
    (line,) = lines
    assert line.startswith("WARNING joining the consumer group has taken 25 s")


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (["127.0.0.1", "127.0.0.1"], "sends clients to 127.0.0.1:{0} (advertised.listeners), which refuses"),
        (["localhost", "kafka.invalid"], "sends clients to kafka.invalid:{0} (advertised.listeners), which cannot"),
    ],
)
def test_advertised(kafka: Kafka, monkeypatch: pytest.MonkeyPatch, free_port: int, hosts: list[str], said: str) -> None:
    """The advertised addresses are blamed if none can be used, and those that cannot be resolved always."""
    port = int(kafka.address.rpartition(":")[2])
    nodes = [SimpleNamespace(host=host, port=port if host == "localhost" else free_port) for host in hosts]
    monkeypatch.setattr(BrokerAdmin, "nodes", lambda *_: nodes)
    assert said.format(free_port) in f"{causes(kafka.address).find()}"


@pytest.fixture(scope="module")
def one_dead() -> Iterator[tuple[Cluster, str]]:
    """A cluster with a dead broker that it still counts, and the address of that broker."""
    properties = {"broker.session.timeout.ms": "600000", "replica.lag.time.max.ms": "10000"}
    with Cluster(3, properties) as cluster:
        leaders = {cluster.leader(topic) for topic in (GROUPS, TRANSACTIONS)}
        dead = next(number for number, node in enumerate(cluster.nodes, 1) if node not in leaders)
        replicas = [[*{1, 2, 3} - {dead}, dead]]  # it leads nothing
        names = ["all", "enough"]
        topics = [
            NewTopic(name, 1, replica_assignment=replicas, config={"min.insync.replicas": required})
            for name, required in zip(names, ("3", "2"), strict=True)
        ]
        admin = AdminClient({"bootstrap.servers": cluster.address})
        for answer in admin.create_topics(topics).values():
            answer.result(TIMEOUT)
        cluster.nodes[dead - 1].kill()

        def are_without_it() -> bool:
            """Whether it is in no partition in sync, though the cluster still counts it."""
            with suppress(KafkaException, KeyError):  # a broker may not know a topic yet
                # a new client: librdkafka may lose requests of one that was connected to the dead broker
                found = AdminClient({"bootstrap.servers": cluster.address}).list_topics(timeout=5.0)
                assert len(found.brokers) == len(cluster.nodes)
                return all(dead not in found.topics[name].partitions[0].isrs for name in names)
            return False

        wait_until(are_without_it, "the partitions without the dead broker")
        yield cluster, cluster.nodes[dead - 1].address


@pytest.mark.long
@pytest.mark.parametrize(
    ("topic", "reads", "said"),
    [
        ("enough", False, "answer, except {0}, which refuses connections; start it"),
        ("all", False, "all[0] refuses records (NOT_ENOUGH_REPLICAS): 2 of its 3 replicas"),
        ("all", True, "answer, except {0}, which refuses connections; start it"),
    ],
)
def test_broker_away(
    one_dead: tuple[Cluster, str], monkeypatch: pytest.MonkeyPatch, topic: str, said: str, *, reads: bool
) -> None:
    """A broker that has just died is named as away, not as a wrong setting, unless a write lacks its replicas."""
    monkeypatch.setattr(limits, "CAUSE_TIMEOUT", TIMEOUT)  # the metadata may name the dead one as the controller
    cluster, dead = one_dead
    for error in (TIMED_OUT, FENCED):
        assert said.format(dead) in f"{causes(cluster.address, topic, reads=reads).explain(error)}"


@pytest.mark.long
def test_join_beside_dead_broker(one_dead: tuple[Cluster, str], lines: list[str]) -> None:
    """It does not end a long join: the other brokers take over."""
    causes(one_dead[0].address, "enough").check_join()
    assert lines[0].startswith("WARNING joining")
