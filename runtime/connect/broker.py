"""Asks the broker, as an admin client: whether it answers, and what partitions, settings and ids its topics have."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.diagnose import diagnose
from runtime.connect.topic_ids import NO_ID
from runtime.errors import Misconfigured, PipelineError, Refused, Stopped, Unavailable
from runtime.explain import explain_kafka
from runtime.stop.signals import stop_request

_LIBRDKAFKA_NAME = re.compile(r"\b(?:sasl|ssl)\.[a-z.]+[a-z]")
_NO_ANSWER = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT}  # noqa: SLF001  (error codes)


@dataclass(frozen=True)
class TopicFacts:
    """A topic's number of partitions, settings and id."""

    name: str
    partitions: int
    config: Mapping[str, str]
    topic_id: str = NO_ID

    @property
    def max_message_bytes(self) -> int:
        """The largest record batch that the topic accepts."""
        return int(self.config["max.message.bytes"])


class BrokerAdmin:
    """An admin client of the broker, for the checks at start.

    Args:
        connection: address and credentials.
        cloud: whether Quix Cloud supplied them.

    Raises:
        Misconfigured: the settings contradict each other.
    """

    def __init__(self, connection: ConnectionConfig, *, cloud: bool = False) -> None:
        self._connection = connection
        self._cloud = cloud
        self._address = f"{connection.bootstrap_servers}{' (supplied by Quix Cloud)' if cloud else ''}"
        self._error: KafkaError | None = None
        config = connection.as_librdkafka_dict() | {"error_cb": self._on_error, "log_level": 0}
        try:
            self.admin = AdminClient(config)
        except KafkaException as error:
            raise Misconfigured(
                f"the BROKER_* settings contradict each other: {_with_setting_names(error.args[0])}"
            ) from error

    def wait(self, timeout: float = limits.START_TIMEOUT) -> None:
        """Wait until the broker answers.

        Raises:
            Unavailable: it did not within `timeout` seconds.
            Refused: it refused the credentials.
            Misconfigured: TLS failed, or the broker uses another protocol than BROKER_SECURITY_PROTOCOL.
            Stopped: a signal asked to stop meanwhile.
        """
        deadline = time.monotonic() + timeout
        while not self._is_answering():
            error = self._diagnose(self._error) if self._error else None
            if error and not isinstance(error, Unavailable):
                raise error
            if stop_request.requested:
                raise Stopped("asked to stop while waiting for the broker")
            if time.monotonic() > deadline:
                raise self._unavailable()

    def check_topics_visible(self, *names: str) -> None:
        """Check the permission Describe on the topics; without it, a list of topics omits them.

        Raises:
            Refused: the permission is missing, whether the topic exists or not.
            KafkaException: the broker does not answer any more.
        """
        answers = self.admin.describe_topics(TopicCollection(list(names)), request_timeout=limits.START_TIMEOUT)
        for name, answer in answers.items():
            error = answer.exception()
            code = error.args[0].code() if isinstance(error, KafkaException) else None
            if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise Refused(f"the broker at {self._address} refused the permission Describe on the topic {name!r}")
            if error is not None and code in _NO_ANSWER:
                raise error

    def topics(self) -> set[str]:
        """The names of all topics that these credentials may describe."""
        return set(self.admin.list_topics(timeout=limits.START_TIMEOUT).topics)

    def facts(self, *names: str) -> list[TopicFacts]:
        """Get the facts of these topics, which exist."""
        listed = self.admin.list_topics(timeout=limits.START_TIMEOUT).topics
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self.admin.describe_configs(resources, request_timeout=limits.START_TIMEOUT)
        configs = {
            resource.name: {entry.name: entry.value for entry in answer.result().values()}
            for resource, answer in answers.items()
        }
        return [TopicFacts(name, len(listed[name].partitions), configs[name], self.topic_id(name)) for name in names]

    def topic_id(self, name: str) -> str:
        """Get the id of a topic, which exists."""
        (answer,) = self.admin.describe_topics(TopicCollection([name]), request_timeout=limits.START_TIMEOUT).values()
        return str(answer.result().topic_id)

    def _is_answering(self) -> bool:
        self.admin.poll(0)
        try:
            self.admin.list_topics(timeout=1.0)
        except KafkaException as error:
            self._error = self._error or error.args[0]
            return False
        return True

    def _diagnose(self, error: KafkaError) -> PipelineError | None:
        """The error to report. If librdkafka's error is unspecific, a connection of our own finds the cause."""
        explained = self._explain(error)
        # Quix Cloud's certificates are not files, so `diagnose` cannot use them.
        if isinstance(explained, Refused) or error.code() == KafkaError._RESOLVE or self._cloud:  # noqa: SLF001
            return explained
        return diagnose(self._connection) or explained

    def _on_error(self, error: KafkaError) -> None:
        if self._error is None or not isinstance(self._explain(error), Unavailable | None):
            self._error = error

    def _unavailable(self) -> Unavailable:
        detail = KafkaError(KafkaError._TRANSPORT, f"waited {limits.START_TIMEOUT:.0f} s")  # noqa: SLF001  (an error code)
        error = self._explain(detail)
        assert isinstance(error, Unavailable)
        return error

    def _explain(self, error: KafkaError) -> PipelineError | None:
        return explain_kafka(error, self._address, cloud=self._cloud)


def _with_setting_names(error: KafkaError) -> str:
    """The text of librdkafka, with our names for the settings."""
    text: str = _LIBRDKAFKA_NAME.sub(lambda name: f"BROKER_{name[0].replace('.', '_').upper()}", error.str())
    return f"{text}; check BROKER_SSL_KEY_PASSWORD" if "PEM lib" in text else text
