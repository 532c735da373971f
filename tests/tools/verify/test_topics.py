"""Which of the broker's errors are temporary; without Kafka."""

import pytest
from confluent_kafka import KafkaError

from tools.verify.topics import is_temporary

PASSES = {
    KafkaError.FENCED_LEADER_EPOCH: True,
    KafkaError.NOT_LEADER_FOR_PARTITION: True,
    KafkaError.LEADER_NOT_AVAILABLE: True,
    KafkaError.KAFKA_STORAGE_ERROR: True,
    KafkaError._TRANSPORT: True,
    KafkaError._TIMED_OUT: True,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: False,
    KafkaError.SASL_AUTHENTICATION_FAILED: False,
    KafkaError.UNKNOWN_TOPIC_OR_PART: False,
    KafkaError._SSL: False,
}


@pytest.mark.parametrize("code", PASSES)
def test_is_temporary(code: int) -> None:
    """A new leader or a broker that is away is temporary; a refusal or a deleted topic is not."""
    assert is_temporary(KafkaError(code), "127.0.0.1:9092") is PASSES[code]
