"""The replicas that a write needs."""

import pytest
from confluent_kafka import Node, TopicPartitionInfo
from quixstreams.kafka import ConnectionConfig

from runtime.connect import replicas
from runtime.connect.broker import BrokerAdmin
from runtime.connect.diagnose import KafkaVersion
from runtime.connect.replicas import partition_error, replicas_error
from runtime.errors import Misconfigured, PipelineError, Unavailable
from tests.kafka import Kafka, Record

NODES = [Node(number, "b", number) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("in_sync", "replicas", "required", "kind", "said"),
    [
        (1, 3, 2, Unavailable, "1 of its 3 replicas are in sync, and min.insync.replicas is 2"),
        (1, 1, 2, Misconfigured, "or create the topic with more replicas"),
        (2, 3, 2, None, ""),
        (1, 1, 1, None, ""),
    ],
)
def test_in_sync(in_sync: int, replicas: int, required: int, kind: type[PipelineError] | None, said: str) -> None:
    """Too few replicas in sync are a wrong setting only if there are too few replicas at all."""
    partition = TopicPartitionInfo(0, NODES[0], NODES[:replicas], NODES[:in_sync])
    error = partition_error("out[0]", partition, required, "min.insync.replicas")
    assert type(error) is (kind or type(None))
    assert said in f"{error}"


@pytest.mark.parametrize("leader", [None, Node(-1, "", 0)])
def test_no_leader(leader: Node | None) -> None:
    """A partition without a leader is named."""
    partition = TopicPartitionInfo(0, leader, NODES[:1], NODES[:1])
    assert "out[0] has no leader" in f"{partition_error('out[0]', partition, 1, '')}"


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_lacks(kafka: Kafka, *, exists: bool) -> None:
    """There is no error if nothing lacks, or if the topic is not visible."""
    topic = kafka.create_topic("nothing-lacks") if exists else "absent"
    assert replicas_error(BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address)), topic) is None


@pytest.mark.parametrize("version", KafkaVersion)
def test_fewer_replicas_than_required(kafka: Kafka, monkeypatch: pytest.MonkeyPatch, version: KafkaVersion) -> None:
    """One replica where two must be in sync is an error only before Kafka 4.0: newer brokers take records."""
    if version is not KafkaVersion.SUPPORTED:  # otherwise, the version is that of the broker
        monkeypatch.setattr(replicas, "kafka_version", lambda _: version)
    topic = kafka.create_topic(f"one-replica-{version.name}", config={"min.insync.replicas": "2"})
    kafka.produce(topic, [Record()])
    error = replicas_error(BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address)), topic)
    assert type(error) is (Misconfigured if version is KafkaVersion.OLDER else type(None))
