"""Questions about topics: which of the broker's errors are temporary, and a broker that ends."""

from collections.abc import Callable
from threading import Timer

import pytest
from confluent_kafka import KafkaError

from runtime.errors import Unavailable
from runtime.settings import ADDRESS, Settings
from tests.kafka import Kafka
from tools.broker.embedded import Broker
from tools.verify.topics import TopicPair, Topics, is_temporary

PASSES = {
    KafkaError.FENCED_LEADER_EPOCH: True,
    KafkaError.NOT_LEADER_FOR_PARTITION: True,
    KafkaError.LEADER_NOT_AVAILABLE: True,
    KafkaError.KAFKA_STORAGE_ERROR: True,
    KafkaError._NOENT: True,
    KafkaError._TRANSPORT: True,
    KafkaError._TIMED_OUT: True,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: False,
    KafkaError.SASL_AUTHENTICATION_FAILED: False,
    KafkaError.UNKNOWN_TOPIC_OR_PART: False,
    KafkaError._SSL: False,
}


@pytest.mark.parametrize("code", PASSES)
def test_is_temporary(code: int) -> None:
    """A new leader or a broker that is away is temporary. A refusal or a deleted topic is not."""
    assert is_temporary(KafkaError(code), "127.0.0.1:9092") is PASSES[code]


def test_silence(kafka: Kafka, topics: Callable[[str], str]) -> None:
    """If a broker answers other requests, an error after the patience does not blame the address."""
    known = Topics(Settings.load(None, {ADDRESS: kafka.address}), 1.0, "")
    known.facts(topics("silent"))
    said = f"the brokers at {kafka.address} answer, but one did not in time: waited 1 s: a reason; restart"
    error = known.no_answer("a reason")
    assert (type(error), f"{error}") == (Unavailable, said)


@pytest.mark.long
def test_broker_ends() -> None:
    """If the broker ends before it answers, that is no end of a topic: the question fails after the patience."""
    with Broker() as broker:
        kafka = Kafka(broker.address)
        names = {name: kafka.create_topic(name, 4) for name in ("input", "output")}
        topics = TopicPair(Settings.load(None, {**names, ADDRESS: broker.address}), 1.0)
        found = [topics.ends(topics.source, range(4))]

        def ask() -> None:
            while True:
                found.append(topics.ends(topics.source, range(4)))

        Timer(0.2, broker.kill).start()
        with pytest.raises(Unavailable):
            ask()
    assert all(ends == dict.fromkeys(range(4), 0) for ends in found)
