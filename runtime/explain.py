"""Turns what a library raised into one of our errors: what happened, the cause, what to do."""

import re
from collections.abc import Iterator

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

from runtime.errors import Failed, Misconfigured, PipelineError, Refused, Unavailable, Unexpected

START_ONE = "to start one here: `make demo` or `docker compose up`"

COORDINATOR_AWAY = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._WAIT_COORD,
}
"""What a broker or librdkafka answers while there is none. Transactions need no such list: librdkafka has its own."""

_REFUSALS = {
    KafkaError._AUTHENTICATION: "the credentials (BROKER_SASL_USERNAME, BROKER_SASL_PASSWORD)",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the credentials (BROKER_SASL_USERNAME, BROKER_SASL_PASSWORD)",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "the mechanism (BROKER_SASL_MECHANISM)",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "a permission on a topic (Read on `input`, Write on `output`)",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the permission Read on the consumer group (Quix__Consumer_Group)",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "the permission Write on the transactional id, "
    "which begins with Quix__Consumer_Group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "a permission on the cluster",
}
_UNAVAILABLE = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}
_TOO_SLOW = {
    **dict.fromkeys(COORDINATOR_AWAY, "have no coordinator for the consumer group, or are too slow"),
    KafkaError._MSG_TIMED_OUT: "are away or too slow, or this process stood still for too long",
}
_FENCED = {
    KafkaError._FENCED,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.INVALID_TXN_STATE,
}
_EVICTED_CODES = {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError._MAX_POLL_EXCEEDED}
EVICTED_TEXT = "the group gave this worker's partitions away, as it was not heard of for too long: start it again"
_MISCONFIGURED_TEXTS = {
    KafkaError._SSL: "TLS failed: check BROKER_SSL_CA_LOCATION, the certificates and the broker's host name",
    KafkaError.ILLEGAL_SASL_STATE: "the broker asks for no SASL there: check BROKER_SECURITY_PROTOCOL",
    KafkaError._UNKNOWN_TOPIC: "a topic is gone: check `input` and `output`",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "a topic or partition is gone: check `input` and `output`",
    KafkaError._UNKNOWN_PARTITION: "the output topic lacks a partition: give it as many as the input has",
    KafkaError.INVALID_GROUP_ID: "the broker does not take the group's name: check Quix__Consumer_Group",
    KafkaError.INVALID_SESSION_TIMEOUT: "the broker allows no session of COMMIT_INTERVAL and 16 s: check its "
    "group.min.session.timeout.ms, group.max.session.timeout.ms",
    KafkaError.INVALID_TRANSACTION_TIMEOUT: "the broker allows no transaction of COMMIT_INTERVAL and 14 s (30 s with "
    "an INSTANCE_ID): check its transaction.max.timeout.ms",
    KafkaError.INVALID_TIMESTAMP: "the output topic refuses a timestamp: check its message.timestamp.before.max.ms, "
    "message.timestamp.after.max.ms",
    KafkaError.INVALID_RECORD: "the output topic refuses a record: is it compacted (cleanup.policy)?",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "others in the consumer group share partitions in another way: give "
    "the pipeline a group of its own (Quix__Consumer_Group)",
    KafkaError.GROUP_MAX_SIZE_REACHED: "the consumer group is full: check the broker's group.max.size",
}
_ALERT = re.compile(r"SSL alert number (\d+)")
_CERTIFICATE_REQUIRED = "116"
_ALERTS = {*map(str, range(42, 50)), _CERTIFICATE_REQUIRED}
"""What a broker sends that refuses the client's certificate (RFC 8446, 6.2)."""
_CLOUD = (
    quix.NoWorkspaceFound,
    quix.MultipleWorkspaces,
    quix.UndefinedQuixWorkspaceId,
    quix.QuixCreateTopicFailure,
    quix.QuixCreateTopicTimeout,
)


def explain(error: BaseException, broker: str, *, cloud: bool = False) -> PipelineError:
    """Turn whatever stopped the pipeline into one line and an exit code.

    Args:
        error: what was raised.
        broker: the address tried, for the line.
        cloud: whether that came from Quix Cloud, so that no setting of ours can mend it.
    """
    for link in _chain(error):
        if isinstance(link, PipelineError):
            return link
        if found := _known(link, broker, cloud=cloud):
            return found
    return Unexpected(f"{type(error).__name__}: {error}")


def bad_batch(place: str, error: KafkaError) -> Failed:
    """Give the error to stop with for a batch that librdkafka can't unpack; `place` is its first record's."""
    return Failed(
        f"the batch at {place} can't be unpacked: {error.str()}; move the group past it with "
        "kafka-consumer-groups --reset-offsets, and see SECURITY.md for what keeps such batches out"
    )


def kafka_error(error: BaseException) -> KafkaError | None:
    """Give what Kafka or librdkafka reports inside an exception of confluent-kafka or Quix; None if it is another."""
    found = error.args[0] if isinstance(error, KafkaException) and error.args else getattr(error, "error", None)
    return found if isinstance(found, KafkaError) else None


def explain_kafka(error: KafkaError, broker: str, *, cloud: bool = False) -> PipelineError | None:
    """The error to stop with for one of Kafka's; None where it is none of the known."""
    code = _code(error)
    if alert := _ALERT.search(error.str()):
        return _tls_refused(alert[1], error.str())
    if code in _REFUSALS:
        refused = re.sub(r"\(BROKER_.*?\)", "that Quix Cloud supplied", _REFUSALS[code]) if cloud else _REFUSALS[code]
        return Refused(f"the broker at {broker} refused {refused}: {error.str()}")
    if code in _MISCONFIGURED_TEXTS:
        return Misconfigured(f"{_MISCONFIGURED_TEXTS[code]}: {error.str()}")
    if code == KafkaError.MSG_SIZE_TOO_LARGE:
        return Failed(f"the output topic's max.message.bytes was larger at start ({error.str()}): start again")
    if code in _FENCED:
        return Failed(
            f"another worker has taken this one's place, or its commit took too long, so the broker refused it "
            f"({error.str()}): start it again; give each worker an INSTANCE_ID of its own, or none"
        )
    if code in _EVICTED_CODES:
        return Failed(f"{EVICTED_TEXT} ({error.str()})")
    if code in _TOO_SLOW:
        return Unavailable(f"the brokers at {broker} {_TOO_SLOW[code]}: {error.str()}")
    if code in _UNAVAILABLE:
        hint = ("", "") if cloud else (" (Quix__Broker__Address)", f"; {START_ONE}")
        return Unavailable(f"no broker answers at {broker}{hint[0]}: {error.str()}{hint[1]}")
    return None


def _code(error: KafkaError) -> int:
    """What it is; librdkafka calls all that goes wrong with SASL alike, and all that is fatal; its text says more."""
    if error.code() not in {KafkaError._AUTHENTICATION, KafkaError._FATAL}:
        return int(error.code())
    inside = (KafkaError.UNSUPPORTED_SASL_MECHANISM, KafkaError.ILLEGAL_SASL_STATE, KafkaError.FENCED_INSTANCE_ID)
    return next((code for code in inside if KafkaError(code).str() in error.str()), int(error.code()))


def _tls_refused(alert: str, text: str) -> Misconfigured:
    if alert == _CERTIFICATE_REQUIRED:
        return Misconfigured(
            "the broker asks for a client's certificate from an authority that it trusts: check "
            f"BROKER_SSL_CERTIFICATE_LOCATION, BROKER_SSL_KEY_LOCATION: {text}"
        )
    if alert in _ALERTS:
        return Misconfigured(f"the broker refused the client's certificate (BROKER_SSL_CERTIFICATE_LOCATION): {text}")
    return Misconfigured(f"{_MISCONFIGURED_TEXTS[KafkaError._SSL]}: {text}")


def _known(error: BaseException, broker: str, *, cloud: bool) -> PipelineError | None:
    if isinstance(error, KeyboardInterrupt):
        return Failed("interrupted for a second time: what is not committed yet will be done again at the next start")
    if isinstance(error, KafkaBrokerUnavailableError):
        hint = "" if cloud else f" (Quix__Broker__Address); {START_ONE}"
        return Unavailable(f"the broker at {broker} has been away for too long{hint}")
    if isinstance(error, CheckpointProducerTimeout):
        return Unavailable(f"the broker at {broker} did not take all records in time: {error}")
    if isinstance(error, TopicNotFoundError):
        return Misconfigured(f"{error}; create it, correct `input` or `output`, or set AUTO_CREATE_TOPICS=true")
    if isinstance(error, TopicPermissionError):
        return Refused(f"the broker at {broker} refused {_REFUSALS[KafkaError.TOPIC_AUTHORIZATION_FAILED]}: {error}")
    if isinstance(error, (CreateTopicFailure, CreateTopicTimeout)):
        return _topic_not_made(error)
    if isinstance(error, (quix.QuixApiRequestFailure, httpx.TransportError, *_CLOUD)):
        return _from_cloud(error)
    reason = kafka_error(error)
    return explain_kafka(reason, broker, cloud=cloud) if reason else None


def _topic_not_made(error: Exception) -> PipelineError:
    """The error to stop with where AUTO_CREATE_TOPICS failed; Quix keeps only the text of what the broker answered."""
    text = str(error)
    if isinstance(error, CreateTopicTimeout) or any(word in text.lower() for word in ("timed out", "controller")):
        return Unavailable(f"the broker did not get a topic ready, start again: {text} (AUTO_CREATE_TOPICS)")
    return (Refused if "credentials" in text else Misconfigured)(f"{text} (AUTO_CREATE_TOPICS)")


def _from_cloud(error: Exception) -> PipelineError:
    """The error to stop with for what Quix Cloud's API said, or for its silence."""
    if isinstance(error, httpx.TransportError):
        return Unavailable(f"Quix Cloud's API does not answer (Quix__Portal__Api): {error}")
    if isinstance(error, (quix.NoWorkspaceFound, quix.MultipleWorkspaces, quix.UndefinedQuixWorkspaceId)):
        return Misconfigured(f"Quix Cloud can't tell which environment is meant, set Quix__Workspace__Id: {error}")
    if not isinstance(error, quix.QuixApiRequestFailure):
        return Failed(f"Quix Cloud did not get a topic ready: {error}")
    if error.status_code in {401, 403}:
        rotated = "rotated or of another environment? Take the current one, or start the deployment again"
        return Refused(f"Quix Cloud refused Quix__Sdk__Token ({rotated}): {error}")
    if error.status_code == httpx.codes.NOT_FOUND:
        return Misconfigured(f"Quix Cloud does not know the environment (Quix__Workspace__Id): {error}")
    kind = Unavailable if error.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else Failed
    return kind(f"Quix Cloud's API answered {error.status_code}: {error}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
