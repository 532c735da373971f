"""Each error that stops the pipeline: its exit code and its line."""

import httpx
import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.checkpointing.exceptions import CheckpointConsumerCommitError, CheckpointProducerTimeout
from quixstreams.kafka.exceptions import (
    KafkaBrokerUnavailableError,
    KafkaConsumerException,
    KafkaProducerDeliveryError,
)
from quixstreams.models.topics.exceptions import (
    CreateTopicFailure,
    CreateTopicTimeout,
    TopicNotFoundError,
    TopicPermissionError,
)
from quixstreams.platforms.quix.exceptions import (
    MultipleWorkspaces,
    QuixApiRequestFailure,
    QuixCreateTopicFailure,
    QuixCreateTopicTimeout,
)

from runtime.errors import Failed, Misconfigured, PipelineError, Refused, Replaced, Stopped, Unavailable, Unexpected
from runtime.explain import bad_batch, exception_chain, explain, start_one

ADDRESS = "127.0.0.1:29092"
START_ONE = ["docker compose up kafka", "python -m tools.broker --port 29092"]


def kafka(code: int) -> KafkaException:
    """What confluent-kafka raises for one of Kafka's error codes."""
    return KafkaException(KafkaError(code))


def quix_api(status: int) -> QuixApiRequestFailure:
    """Quix's error if Quix Cloud's API refuses."""
    return QuixApiRequestFailure(status, "https://portal.example", None)


def own(code: int, text: str) -> KafkaException:
    """What librdkafka reports with a text of its own."""
    return KafkaException(KafkaError(code, text))


CODES = {code for code in vars(KafkaError).values() if isinstance(code, int)}
"""Kafka's error codes, and librdkafka's."""

EXPLAINED: list[tuple[BaseException, type[PipelineError], list[str]]] = [
    (kafka(KafkaError._TRANSPORT), Unavailable, [ADDRESS, "Quix__Broker__Address", *START_ONE]),
    (kafka(KafkaError._ALL_BROKERS_DOWN), Unavailable, [ADDRESS, *START_ONE]),
    (kafka(KafkaError._RESOLVE), Unavailable, [ADDRESS, *START_ONE]),
    (kafka(KafkaError._TIMED_OUT), Unavailable, [ADDRESS, *START_ONE]),
    (kafka(KafkaError._MSG_TIMED_OUT), Unavailable, [ADDRESS, "too slow", "was paused"]),
    (KafkaBrokerUnavailableError("for 120 s"), Unavailable, [ADDRESS, "no broker answers", "for 120 s", *START_ONE]),
    (httpx.ConnectError("no route"), Unavailable, ["Quix Cloud", "Quix__Portal__Api"]),
    (kafka(KafkaError._AUTHENTICATION), Refused, [ADDRESS, "BROKER_SASL_PASSWORD"]),
    (kafka(KafkaError.SASL_AUTHENTICATION_FAILED), Refused, [ADDRESS, "BROKER_SASL_PASSWORD"]),
    (kafka(KafkaError.UNSUPPORTED_SASL_MECHANISM), Refused, ["BROKER_SASL_MECHANISM"]),
    (kafka(KafkaError.TOPIC_AUTHORIZATION_FAILED), Refused, ["a topic", "Read", "Write"]),
    (kafka(KafkaError.GROUP_AUTHORIZATION_FAILED), Refused, ["Quix__Consumer_Group"]),
    (kafka(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED), Refused, ["transactional id"]),
    (kafka(KafkaError.CLUSTER_AUTHORIZATION_FAILED), Refused, ["the cluster"]),
    (
        own(KafkaError._AUTHENTICATION, "Broker: Unsupported SASL mechanism: x"),
        Refused,
        ["BROKER_SASL_MECHANISM"],
    ),
    (TopicPermissionError("DescribeConfigs on x"), Refused, [ADDRESS, "DescribeConfigs on x"]),
    (CreateTopicFailure("topic x: credentials"), Refused, ["AUTO_CREATE_TOPICS"]),
    (CreateTopicFailure("topic x: Local: Timed out"), Unavailable, ["AUTO_CREATE_TOPICS", "Timed out"]),
    (CreateTopicFailure("x: Broker: Not controller for cluster"), Unavailable, ["AUTO_CREATE_TOPICS"]),
    (CreateTopicFailure("x: Local: Broker transport failure"), Unavailable, ["AUTO_CREATE_TOPICS"]),
    (CreateTopicTimeout("x"), Unavailable, ["AUTO_CREATE_TOPICS"]),
    (kafka(KafkaError.INVALID_GROUP_ID), Misconfigured, ["Quix__Consumer_Group"]),
    (
        kafka(KafkaError.INVALID_SESSION_TIMEOUT),
        Misconfigured,
        ["COMMIT_INTERVAL + 16 s", "group.max.session.timeout.ms"],
    ),
    (
        kafka(KafkaError.INVALID_TRANSACTION_TIMEOUT),
        Misconfigured,
        ["COMMIT_INTERVAL + 14 s", "INSTANCE_ID + 30 s", "transaction.max.timeout.ms"],
    ),
    (quix_api(401), Refused, ["Quix__Sdk__Token", "401"]),
    (quix_api(403), Refused, ["Quix__Sdk__Token", "403"]),
    (kafka(KafkaError._SSL), Misconfigured, ["BROKER_SSL_CA_LOCATION"]),
    (
        own(KafkaError._AUTHENTICATION, "Broker: Request not valid in current SASL state"),
        Misconfigured,
        ["does not use SASL"],
    ),
    (own(KafkaError._TRANSPORT, "x: SSL alert number 45 (y)"), Misconfigured, ["client certificate", "45"]),
    (
        own(KafkaError._TRANSPORT, "x: SSL alert number 116"),
        Misconfigured,
        ["requires", "BROKER_SSL_KEY_LOCATION"],
    ),
    (own(KafkaError._SSL, "x: SSL alert number 70"), Misconfigured, ["TLS failed", "70"]),
    (kafka(KafkaError._UNKNOWN_TOPIC), Misconfigured, ["`input`", "`output`"]),
    (kafka(KafkaError.UNKNOWN_TOPIC_OR_PART), Misconfigured, ["`input`", "`output`"]),
    (kafka(KafkaError._UNKNOWN_PARTITION), Misconfigured, ["partition"]),
    (kafka(KafkaError.INVALID_TIMESTAMP), Misconfigured, ["message.timestamp.after.max.ms"]),
    (kafka(KafkaError.INVALID_RECORD), Misconfigured, ["cleanup.policy"]),
    (kafka(KafkaError.INCONSISTENT_GROUP_PROTOCOL), Misconfigured, ["Quix__Consumer_Group"]),
    (kafka(KafkaError.GROUP_MAX_SIZE_REACHED), Misconfigured, ["group.max.size"]),
    (TopicNotFoundError("x not found"), Misconfigured, ["x not found", "`input`", "AUTO_CREATE_TOPICS=true"]),
    (CreateTopicFailure("topic x: invalid"), Misconfigured, ["topic x", "AUTO_CREATE_TOPICS"]),
    (kafka(KafkaError.MSG_SIZE_TOO_LARGE), Failed, ["max.message.bytes", "restart"]),
    (quix_api(404), Misconfigured, ["Quix__Workspace__Id", "404"]),
    (quix_api(500), Unavailable, ["500"]),
    (quix_api(409), Failed, ["409"]),
    (MultipleWorkspaces("more than 1"), Misconfigured, ["Quix__Workspace__Id", "more than 1"]),
    (QuixCreateTopicFailure("{'out': 'full'}"), Failed, ["Quix Cloud", "'out': 'full'"]),
    (QuixCreateTopicTimeout("['out']"), Failed, ["Quix Cloud", "['out']"]),
    (
        bad_batch("in[0]@7", KafkaError(KafkaError._BAD_COMPRESSION, "of 9 bytes")),
        Failed,
        ["batch at in[0]@7", "of 9 bytes", "--reset-offsets", "SECURITY.md"],
    ),
    (
        kafka(KafkaError.INVALID_PRODUCER_ID_MAPPING),
        Failed,
        ["has expired", "transactional.id.expiration.ms", "restart"],
    ),
    (kafka(KafkaError._FENCED), Replaced, ["another worker", "INSTANCE_ID"]),
    (kafka(KafkaError.FENCED_INSTANCE_ID), Replaced, ["another worker", "INSTANCE_ID"]),
    (kafka(KafkaError._STATE), Failed, ["Kafka's error _STATE: Local: Erroneous state"]),
    (kafka(KafkaError.KAFKA_STORAGE_ERROR), Failed, ["KAFKA_STORAGE_ERROR", "Disk error"]),
    (kafka(KafkaError.INVALID_MSG), Failed, ["cannot read", "damaged", "Invalid message"]),
    (
        bad_batch("in[0]@7", KafkaError(KafkaError.INVALID_MSG)),
        Failed,
        ["batch at in[0]@7", "damaged", "--reset-offsets"],
    ),
    (kafka(KafkaError.UNKNOWN), Unavailable, [ADDRESS, "failed", "restart", "logs"]),
    (kafka(KafkaError.RECORD_LIST_TOO_LARGE), Misconfigured, ["segment.bytes", "max.message.bytes"]),
    (
        kafka(KafkaError.COORDINATOR_LOAD_IN_PROGRESS),
        Unavailable,
        ["no coordinator of the group or of transactions", ADDRESS],
    ),
    (kafka(KafkaError.CONCURRENT_TRANSACTIONS), Unavailable, ["last transaction", ADDRESS]),
    (CheckpointProducerTimeout("flush"), Unavailable, ["did not accept all records in time", "flush"]),
    (kafka(KafkaError.INVALID_TXN_STATE), Replaced, ["another worker", "took too long"]),
    (kafka(KafkaError.INVALID_PRODUCER_EPOCH), Replaced, ["another worker", "restart"]),
    (
        own(KafkaError._FATAL, f"Fatal error: {KafkaError(KafkaError.FENCED_INSTANCE_ID).str()}: by another"),
        Replaced,
        ["another worker", "INSTANCE_ID"],
    ),
    (own(KafkaError._FATAL, "Fatal error: no more"), Failed, ["no more"]),
    (kafka(KafkaError.UNKNOWN_MEMBER_ID), Failed, ["removed from the consumer group", "restart"]),
    (kafka(KafkaError._MAX_POLL_EXCEEDED), Failed, ["removed from the consumer group"]),
    (KeyError("x"), Unexpected, ["KeyError", "'x'"]),
    (KeyboardInterrupt(), Failed, ["interrupted", "after a restart"]),
    (Stopped("asked"), Stopped, ["asked"]),
    (Failed("as foreseen"), Failed, ["as foreseen"]),
]


@pytest.mark.parametrize(("error", "kind", "said"), EXPLAINED, ids=lambda value: type(value).__name__)
def test_explain(error: BaseException, kind: type[PipelineError], said: list[str]) -> None:
    """Each error that the libraries raise becomes one of ours, and one line that says what to do."""
    explained = explain(error, ADDRESS)

    assert type(explained) is kind
    assert len(str(explained).splitlines()) == 1
    for text in said:
        assert text in str(explained)


@pytest.mark.parametrize(
    "error",
    [
        kafka(KafkaError._TRANSPORT),
        KafkaBrokerUnavailableError("all brokers"),
        kafka(KafkaError.SASL_AUTHENTICATION_FAILED),
        kafka(KafkaError.UNSUPPORTED_SASL_MECHANISM),
    ],
)
def test_supplied_by_quix_cloud(error: BaseException) -> None:
    """If Quix Cloud supplied address and credentials, no line names settings that are not used there."""
    explained, usual = explain(error, ADDRESS, cloud=True), explain(error, ADDRESS)

    assert type(explained) is type(usual)
    assert ADDRESS in str(explained)
    for text in ("Quix__Broker__Address", "BROKER_", "to start one"):
        assert text not in str(explained)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("localhost:29092", "`docker compose up kafka` or `python -m tools.broker --port 29092`"),
        ("127.0.0.1:9092", "this machine: `python -m tools.broker --port 9092`"),
        ("kafka:9092,[::1]:29092", "`docker compose up kafka` or"),
        ("kafka:29092", ""),
        ("localhost.example:29092", ""),
        ("the address that Quix Cloud supplied", ""),
    ],
)
def test_start_one(address: str, hint: str) -> None:
    """How to start a broker is said only if its address is on this machine, and with its port."""
    assert hint in start_one(address)
    assert bool(start_one(address)) == bool(hint)


@pytest.mark.parametrize("wrapper", [KafkaProducerDeliveryError, KafkaConsumerException, CheckpointConsumerCommitError])
def test_wrapped(wrapper: type[Exception]) -> None:
    """Kafka's error is found inside those that Quix wraps around it."""
    error = wrapper(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    assert type(explain(error, ADDRESS)) is Refused


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code(code: int) -> None:
    """No error code of Kafka becomes a stack trace, not even inside Quix's exceptions or behind a SystemError."""
    masked = SystemError("returned a result with an exception set")
    masked.__cause__ = kafka(code)
    for error in (KafkaConsumerException(KafkaError(code)), KafkaProducerDeliveryError(KafkaError(code)), masked):
        explained = explain(error, ADDRESS)
        assert not isinstance(explained, Unexpected)
        assert len(str(explained).splitlines()) == 1
        assert KafkaError(code).str() in str(explained)


def test_chained() -> None:
    """An error that is known is found among the causes and contexts of another one."""
    root, handling, raised = kafka(KafkaError.GROUP_AUTHORIZATION_FAILED), ValueError(), RuntimeError()
    handling.__context__ = root
    raised.__cause__ = handling

    assert type(explain(raised, ADDRESS)) is Refused


def test_own_cause() -> None:
    """An exception that is its own cause is read once."""
    error = ValueError()
    error.__cause__ = error
    assert list(exception_chain(error)) == [error]
