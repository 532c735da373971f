"""Turns a library's error into one of runtime/errors.py: what happened, the cause, what to do."""

import re

import httpx
from confluent_kafka import KafkaError, KafkaException
from quixstreams.checkpointing.exceptions import CheckpointProducerTimeout
from quixstreams.kafka.exceptions import KafkaBrokerUnavailableError
from quixstreams.models.topics.exceptions import (
    CreateTopicFailure,
    CreateTopicTimeout,
    TopicNotFoundError,
    TopicPermissionError,
)
from quixstreams.platforms.quix import exceptions as quix

from runtime import limits
from runtime.errors import Failed, Misconfigured, PipelineError, Refused, Replaced, Unavailable, Unexpected

NO_ANSWER = "no broker answers at"
TOPIC_SETTINGS = "`input`, `output` or `dead_letter`"
_DEFAULT_PORT = 29092
_THIS_MACHINE = re.compile(r"(?:^|,)\s*(?:localhost|127\.[\d.]+|\[?::1\]?):(\d+)")

COORDINATOR_AWAY = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._WAIT_COORD,
}
"""The error codes of a request while the group has no coordinator. In transactions, librdkafka retries these itself."""

_REFUSALS = {
    KafkaError._AUTHENTICATION: "the credentials (BROKER_SASL_USERNAME, BROKER_SASL_PASSWORD)",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the credentials (BROKER_SASL_USERNAME, BROKER_SASL_PASSWORD)",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "the mechanism (BROKER_SASL_MECHANISM)",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "a permission on a topic (Read on `input`, Write on `output` and "
    "`dead_letter`)",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the permission Read on the consumer group (Quix__Consumer_Group)",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "the permission Write on the transactional id, "
    "which begins with Quix__Consumer_Group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "a permission on the cluster",
}
_UNAVAILABLE = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
_CREATE_AGAIN = {*_UNAVAILABLE, *COORDINATOR_AWAY, KafkaError.NOT_CONTROLLER, KafkaError.BROKER_NOT_AVAILABLE}
"""The errors after which a topic may be created at the next start, or was created without an answer."""
_UNAVAILABLE_TEXTS = {
    **dict.fromkeys(COORDINATOR_AWAY, "have no coordinator of the group or of transactions, or are too slow"),
    KafkaError.CONCURRENT_TRANSACTIONS: "have not ended this worker's last transaction in time",
    KafkaError._MSG_TIMED_OUT: "do not answer or are too slow, or this process was paused for too long",
    KafkaError.UNKNOWN: "failed to do what they were asked; restart, and read their logs if it repeats",
}
_FENCED = {
    KafkaError._FENCED,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_TXN_STATE,
}
_EVICTED_CODES = {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError._MAX_POLL_EXCEEDED}
EVICTED_TEXT = "removed from the consumer group (no heartbeat in time); restart"
_DAMAGED = "which is damaged: see the broker's log"
_FAILED_TEXTS = {
    **dict.fromkeys(_EVICTED_CODES, EVICTED_TEXT),
    KafkaError.MSG_SIZE_TOO_LARGE: "max.message.bytes was lowered since the start; restart",
    KafkaError.INVALID_PRODUCER_ID_MAPPING: "the transactional id has expired (transactional.id.expiration.ms); "
    "restart",
    KafkaError.INVALID_MSG: f"the broker cannot read a batch, {_DAMAGED}",
}
_MISCONFIGURED_TEXTS = {
    KafkaError._SSL: "TLS failed: check BROKER_SSL_CA_LOCATION, the certificates and the broker's host name",
    KafkaError.ILLEGAL_SASL_STATE: "the broker does not use SASL on this port: check BROKER_SECURITY_PROTOCOL",
    KafkaError._UNKNOWN_TOPIC: "a topic does not exist any more: check `input`, `output`, `dead_letter`",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "a topic or partition is gone: check `input`, `output`, `dead_letter`",
    KafkaError._UNKNOWN_PARTITION: "the output or dead-letter topic has too few partitions: fewer than the input topic",
    KafkaError.INVALID_GROUP_ID: "the broker does not accept the group's name: check Quix__Consumer_Group",
    KafkaError.INVALID_SESSION_TIMEOUT: f"session.timeout.ms (COMMIT_INTERVAL + {limits.SESSION_TIMEOUT:.0f} s) is "
    "outside the broker's range: check its group.min.session.timeout.ms, group.max.session.timeout.ms",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "transaction.timeout.ms (COMMIT_INTERVAL + "
    f"{limits.COMMIT_TIMEOUT:.0f} s, with an INSTANCE_ID + {limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID:.0f} s) is above "
    "the broker's limit: check its transaction.max.timeout.ms",
    KafkaError.INVALID_TIMESTAMP: "the output or dead-letter topic refuses a timestamp: check its "
    "message.timestamp.before.max.ms, message.timestamp.after.max.ms",
    KafkaError.INVALID_RECORD: "the output or dead-letter topic refuses a record: it may be compacted (cleanup.policy)",
    KafkaError.RECORD_LIST_TOO_LARGE: "the output or dead-letter topic refuses a batch that is larger than its "
    "segment.bytes: set that to max.message.bytes or more",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "other members of the consumer group use another assignment strategy: use "
    "a separate group (Quix__Consumer_Group)",
    KafkaError.GROUP_MAX_SIZE_REACHED: "the consumer group is full: check the broker's group.max.size",
}
_ALERT = re.compile(r"SSL alert number (\d+)")
_CERTIFICATE_REQUIRED = "116"
_ALERTS = {*map(str, range(42, 50)), _CERTIFICATE_REQUIRED}
"""The TLS alerts by which a broker refuses the client's certificate (RFC 8446, 6.2)."""


def explain(error: BaseException, broker: str, *, cloud: bool = False) -> PipelineError:
    """Turn any error into one line and an exit code.

    Args:
        error: the error, with its causes.
        broker: the broker's address, for the line.
        cloud: whether Quix Cloud supplied the address and credentials; then no BROKER_* setting can correct them.
    """
    for link in exception_chain(error):
        if isinstance(link, PipelineError):
            return link
        if explained := _explain_one(link, broker, cloud=cloud):
            return explained
    if reason := kafka_error(error) or kafka_error(error.__cause__):  # confluent-kafka may put a SystemError in front
        return Failed(f"Kafka's error {reason.name()}: {reason.str()}")
    return Unexpected(f"{type(error).__name__}: {error}")


def start_one(broker: str, *, cloud: bool = False) -> str:
    """Say how to start a broker, to be added to a line, if its address is on this machine. Otherwise, say nothing."""
    local = _THIS_MACHINE.search(broker)
    if local is None or cloud:
        return ""
    compose = "`docker compose up kafka` or " if int(local[1]) == _DEFAULT_PORT else ""
    return f"; to start one on this machine: {compose}`python -m tools.broker --port {local[1]}`"


BAD_BATCH = {KafkaError._BAD_COMPRESSION, KafkaError.INVALID_MSG}
"""The error codes of a batch that librdkafka cannot decompress, or that the broker cannot read."""
SKIP_IN_THE_GROUP = "move the group's offset past it with kafka-consumer-groups --reset-offsets"


def bad_batch(place: str, error: KafkaError, how_to_skip: str = SKIP_IN_THE_GROUP) -> Failed:
    """Give the error for a batch that cannot be read.

    Args:
        place: topic[partition]@offset.
        error: one of BAD_BATCH.
        how_to_skip: how to go on with the records after it.
    """
    if error.code() == KafkaError.INVALID_MSG:
        return Failed(f"the broker cannot read the batch at {place}, {_DAMAGED}; {how_to_skip} ({error.str()})")
    return Failed(
        f"cannot decompress the batch at {place}: {error.str()}; {how_to_skip}; SECURITY.md says how to keep such "
        "batches out"
    )


def kafka_error(error: BaseException | None) -> KafkaError | None:
    """Give the KafkaError inside an exception of confluent-kafka or Quix, or None if there is none."""
    inner = error.args[0] if isinstance(error, KafkaException) and error.args else getattr(error, "error", None)
    return inner if isinstance(inner, KafkaError) else None


def explain_kafka(error: KafkaError, broker: str, *, cloud: bool = False) -> PipelineError | None:
    """Turn a Kafka error code into one of our errors, or None if the code is not in the tables."""
    code = _code(error)
    if alert := _ALERT.search(error.str()):
        return _tls_refused(alert[1], error.str())
    if code in _REFUSALS:
        refused = re.sub(r"\(BROKER_.*?\)", "that Quix Cloud supplied", _REFUSALS[code]) if cloud else _REFUSALS[code]
        return Refused(f"the broker at {broker} refused {refused}: {error.str()}")
    if code in _MISCONFIGURED_TEXTS:
        return Misconfigured(f"{_MISCONFIGURED_TEXTS[code]}: {error.str()}")
    if code in _FAILED_TEXTS:
        return Failed(f"{_FAILED_TEXTS[code]} ({error.str()})")
    if code in _FENCED:
        slow = "" if code == KafkaError.FENCED_INSTANCE_ID else ", or a commit took too long"
        return Replaced(
            f"replaced by another worker with the same INSTANCE_ID{slow}; restart, with a unique INSTANCE_ID or none "
            f"({error.str()})"
        )
    if code in _UNAVAILABLE_TEXTS:
        return Unavailable(f"the brokers at {broker} {_UNAVAILABLE_TEXTS[code]}: {error.str()}")
    if code in _UNAVAILABLE:
        setting = "" if cloud else " (Quix__Broker__Address)"
        return Unavailable(f"{NO_ANSWER} {broker}{setting}: {error.str()}{start_one(broker, cloud=cloud)}")
    return None


def _code(error: KafkaError) -> int:
    """The error's code. librdkafka uses one code for all SASL errors and one for all fatal ones."""
    if error.code() not in {KafkaError._AUTHENTICATION, KafkaError._FATAL}:
        return int(error.code())
    inside = (KafkaError.UNSUPPORTED_SASL_MECHANISM, KafkaError.ILLEGAL_SASL_STATE, KafkaError.FENCED_INSTANCE_ID)
    return next((code for code in inside if KafkaError(code).str() in error.str()), int(error.code()))


def _tls_refused(alert: str, text: str) -> Misconfigured:
    if alert == _CERTIFICATE_REQUIRED:
        return Misconfigured(
            "the broker requires a client certificate that is signed by a CA that it trusts: check "
            f"BROKER_SSL_CERTIFICATE_LOCATION, BROKER_SSL_KEY_LOCATION: {text}"
        )
    if alert in _ALERTS:
        return Misconfigured(f"the broker refused the client certificate (BROKER_SSL_CERTIFICATE_LOCATION): {text}")
    return Misconfigured(f"{_MISCONFIGURED_TEXTS[KafkaError._SSL]}: {text}")


def _explain_one(error: BaseException, broker: str, *, cloud: bool) -> PipelineError | None:
    if isinstance(error, KeyboardInterrupt):
        return Failed("interrupted twice; uncommitted records will be processed again after a restart")
    if isinstance(error, KafkaBrokerUnavailableError):
        return explain_kafka(KafkaError(KafkaError._ALL_BROKERS_DOWN, f"{error}"), broker, cloud=cloud)
    if isinstance(error, CheckpointProducerTimeout):
        return Unavailable(f"the broker at {broker} did not accept all records in time: {error}")
    if isinstance(error, TopicNotFoundError):
        return Misconfigured(f"{error}; create it, correct {TOPIC_SETTINGS}, or set AUTO_CREATE_TOPICS=true")
    if isinstance(error, TopicPermissionError):
        return Refused(f"the broker at {broker} refused {_REFUSALS[KafkaError.TOPIC_AUTHORIZATION_FAILED]}: {error}")
    if isinstance(error, (CreateTopicFailure, CreateTopicTimeout)):
        return _explain_topic_creation(error)
    if reason := kafka_error(error):
        return explain_kafka(reason, broker, cloud=cloud)
    return _explain_quix_cloud(error)


def _explain_topic_creation(error: Exception) -> PipelineError:
    """The error for a failed topic creation. Quix keeps only the text of the broker's answer."""
    text = str(error)
    if isinstance(error, CreateTopicTimeout) or any(KafkaError(code).str() in text for code in _CREATE_AGAIN):
        return Unavailable(f"the broker did not create a topic in time; restart: {text} (AUTO_CREATE_TOPICS)")
    if "replication factor" in text:
        text = f"{text} Change default.replication.factor of the broker, or create the topic with fewer replicas"
    return (Refused if "credentials" in text else Misconfigured)(f"{text} (AUTO_CREATE_TOPICS)")


def _explain_quix_cloud(error: BaseException) -> PipelineError | None:
    """The error for an answer of Quix Cloud's API or for a missing answer, or None if it is another error."""
    if isinstance(error, httpx.TransportError):
        return Unavailable(f"Quix Cloud's API does not answer (Quix__Portal__Api): {error}")
    if isinstance(error, (quix.NoWorkspaceFound, quix.MultipleWorkspaces, quix.UndefinedQuixWorkspaceId)):
        return Misconfigured(f"Quix Cloud cannot determine the environment; set Quix__Workspace__Id: {error}")
    if isinstance(error, (quix.QuixCreateTopicFailure, quix.QuixCreateTopicTimeout)):
        return Failed(f"Quix Cloud did not create a topic in time: {error}")
    if not isinstance(error, quix.QuixApiRequestFailure):
        return None
    if error.status_code in {401, 403}:
        hint = "expired or of another environment; use the current one, or restart the deployment"
        return Refused(f"Quix Cloud refused Quix__Sdk__Token ({hint}): {error}")
    if error.status_code == httpx.codes.NOT_FOUND:
        return Misconfigured(f"Quix Cloud does not know the environment (Quix__Workspace__Id): {error}")
    kind = Unavailable if error.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else Failed
    return kind(f"Quix Cloud's API answered {error.status_code}: {error}")


def exception_chain(error: BaseException) -> list[BaseException]:
    """Give an exception and those that it was raised from."""
    chain = [error]
    while (link := chain[-1].__cause__ or chain[-1].__context__) and link not in chain:  # it may be its own cause
        chain.append(link)
    return chain
