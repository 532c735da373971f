"""The cause of an error, without a broker; tests/pipeline has causes on a real one."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.cause import Cause
from runtime.errors import Misconfigured


@pytest.mark.parametrize(
    ("error", "instance_id"),
    [
        (Misconfigured("why"), "one"),
        (ValueError("why"), "one"),
        (KafkaException(KafkaError(KafkaError._TRANSPORT)), "one"),
        (KafkaException(KafkaError(KafkaError._FENCED)), "one"),
        (KafkaException(KafkaError(KafkaError._FENCED)), None),
    ],
    ids=str,
)
def test_unknown(monkeypatch: pytest.MonkeyPatch, free_port: int, error: Exception, instance_id: str | None) -> None:
    """If no broker answers, or if the error needs no explanation, it stays as it is."""
    monkeypatch.setattr(limits, "CAUSE_TIMEOUT", 0.1)
    connection = ConnectionConfig(bootstrap_servers=f"127.0.0.1:{free_port}")
    assert Cause(connection, "group", instance_id, cloud=False).find(error) is error
