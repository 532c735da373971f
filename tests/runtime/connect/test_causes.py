"""The causes of errors that say only that something took too long; tests/pipeline has them on faulty brokers."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.causes import Causes
from runtime.errors import Misconfigured, OutputTooSlow, Unavailable
from tests.kafka import Kafka

TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT, "Failed to get it: Local: Timed out"))


def causes(address: str) -> Causes:
    """The causes of a broker at this address."""
    return Causes(BrokerAdmin(ConnectionConfig(bootstrap_servers=address)), "causes")


@pytest.mark.parametrize(
    "error", [Misconfigured("known"), KafkaException(KafkaError(KafkaError._FENCED)), OutputTooSlow("slow"), KeyError()]
)
def test_kept(kafka: Kafka, error: Exception) -> None:
    """An error that tells its cause is kept, and so is one without a cause to be found."""
    assert causes(kafka.address).explain(error) is error


@pytest.mark.parametrize("code", [KafkaError._FENCED, KafkaError.UNKNOWN])
@pytest.mark.parametrize("replaced", [Misconfigured("replaced by another one"), None])
def test_replaced(kafka: Kafka, code: int, replaced: Misconfigured | None) -> None:
    """The worker that replaced this one is the cause of a fence, and of a commit that fails meanwhile."""
    error = KafkaException(KafkaError(code))
    replacement = cast("Any", SimpleNamespace(explain=lambda: replaced))
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=kafka.address))
    assert Causes(broker, replacement=replacement).explain(error) is (replaced or error)


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
