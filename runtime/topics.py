"""The input and the output topic at start: there, fit for the job, and what the broker says of their limits."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from loguru import logger
from quixstreams import Application
from quixstreams.kafka import ConnectionConfig
from quixstreams.models import Topic, TopicConfig

from runtime.errors import Misconfigured, PipelineError, Refused, Stopped, Unavailable, explain_kafka
from runtime.handshake import examine
from runtime.settings import Settings
from runtime.stopping import stop_request
from runtime.timestamp_limits import AFTER, BEFORE, UNLIMITED
from runtime.topic_ids import NO_ID

ANSWER_WITHIN = 25.0
"""Seconds that a broker has to answer at start; with the imports, no broker is reported within 35 s."""

_LIBRDKAFKA_NAME = re.compile(r"\b(?:sasl|ssl)\.[a-z.]+[a-z]")
_UNLIMITED = -1
_SILENT = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT}  # noqa: SLF001  (public codes)
_USUAL_LIMIT = "1048588"  # Kafka's default
# What an output topic made here takes over, so that it refuses nothing that the input took and keeps it as long.
_COPIED = ("retention.ms", "max.message.bytes")
_ANY_TIMESTAMP = dict.fromkeys((BEFORE, AFTER), f"{UNLIMITED}")
_PLAIN: Any = dict.fromkeys(("key_deserializer", "value_deserializer", "key_serializer", "value_serializer"), "bytes")


@dataclass(frozen=True)
class TopicFacts:
    """What the broker says of a topic: its number of partitions, its settings and its id."""

    name: str
    partitions: int
    config: Mapping[str, str]
    topic_id: str = NO_ID

    @property
    def max_message_bytes(self) -> int:
        """The largest record batch that the topic takes."""
        return int(self.config["max.message.bytes"])


class Broker:
    """The broker as its administrator sees it, for the checks at start."""

    def __init__(self, connection: ConnectionConfig, *, cloud: bool = False) -> None:
        self._connection = connection
        self._cloud = cloud
        self._address = f"{connection.bootstrap_servers}{' (supplied by Quix Cloud)' if cloud else ''}"
        self._trouble: KafkaError | None = None
        config = connection.as_librdkafka_dict() | {"error_cb": self._on_error, "log_level": 0}
        try:
            self.admin = AdminClient(config)
        except KafkaException as error:
            raise Misconfigured(f"the BROKER_* settings don't fit together: {_by_our_names(error.args[0])}") from error

    def wait(self) -> None:
        """Wait until the broker answers.

        Raises:
            Unavailable: it did not within ANSWER_WITHIN.
            Refused: it refused the credentials.
            Misconfigured: TLS failed, or the broker speaks another protocol than BROKER_SECURITY_PROTOCOL.
            Stopped: a signal asked to stop meanwhile.
        """
        deadline = time.monotonic() + ANSWER_WITHIN
        while not self._answers():
            error = self._examined(self._trouble) if self._trouble else None
            if error and not isinstance(error, Unavailable):
                raise error
            if stop_request.requested:
                raise Stopped("asked to stop while waiting for the broker")
            if time.monotonic() > deadline:
                raise self._unavailable()

    def refuse_hidden(self, *names: str) -> None:
        """See that these credentials may see the topics; to list them hides those that they may not.

        Raises:
            Refused: they may not see one, be it there or not.
            KafkaException: the broker does not answer any more.
        """
        answers = self.admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_WITHIN)
        for name, answer in answers.items():
            error = answer.exception()
            code = error.args[0].code() if isinstance(error, KafkaException) else None
            if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise Refused(f"the broker at {self._address} refused the permission Describe on the topic {name!r}")
            if error is not None and code in _SILENT:
                raise error

    def topics(self) -> set[str]:
        """The names of all topics that these credentials may see."""
        return set(self.admin.list_topics(timeout=ANSWER_WITHIN).topics)

    def facts(self, *names: str) -> list[TopicFacts]:
        """Ask for these topics' partitions and settings; they exist."""
        listed = self.admin.list_topics(timeout=ANSWER_WITHIN).topics
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self.admin.describe_configs(resources, request_timeout=ANSWER_WITHIN)
        configs = {
            resource.name: {entry.name: entry.value for entry in answer.result().values()}
            for resource, answer in answers.items()
        }
        return [TopicFacts(name, len(listed[name].partitions), configs[name], self.topic_id(name)) for name in names]

    def topic_id(self, name: str) -> str:
        """Ask for a topic's id; it exists."""
        (answer,) = self.admin.describe_topics(TopicCollection([name]), request_timeout=ANSWER_WITHIN).values()
        return str(answer.result().topic_id)

    def _answers(self) -> bool:
        self.admin.poll(0)
        try:
            self.admin.list_topics(timeout=1.0)
        except KafkaException as error:
            self._trouble = self._trouble or error.args[0]
            return False
        return True

    def _examined(self, trouble: KafkaError) -> PipelineError | None:
        """What is the trouble; asked of the broker itself where librdkafka does not say exactly."""
        error = self._explain(trouble)
        # What Quix Cloud supplies has its certificates inside, and is not the user's to mend.
        if isinstance(error, Refused) or trouble.code() == KafkaError._RESOLVE or self._cloud:  # noqa: SLF001
            return error
        return examine(self._connection) or error

    def _on_error(self, error: KafkaError) -> None:
        if self._trouble is None or not isinstance(self._explain(error), Unavailable | None):
            self._trouble = error

    def _unavailable(self) -> Unavailable:
        detail = KafkaError(KafkaError._TRANSPORT, f"waited {ANSWER_WITHIN:.0f} s")  # noqa: SLF001  (a public code)
        error = self._explain(detail)
        assert isinstance(error, Unavailable)
        return error

    def _explain(self, error: KafkaError) -> PipelineError | None:
        return explain_kafka(error, self._address, cloud=self._cloud)


def _by_our_names(error: KafkaError) -> str:
    """What librdkafka says of the settings, by the names that they have here."""
    text: str = _LIBRDKAFKA_NAME.sub(lambda name: f"BROKER_{name[0].replace('.', '_').upper()}", error.str())
    return f"{text}; is BROKER_SSL_KEY_PASSWORD right?" if "PEM lib" in text else text


@dataclass(frozen=True)
class OpenTopics:
    """The input and the output topic, both in plain bytes, and what the broker says of them."""

    source: Topic
    target: Topic
    source_facts: TopicFacts
    target_facts: TopicFacts
    admin: AdminClient

    @property
    def ids(self) -> dict[str, str]:
        """The topics' ids, by their names."""
        return {facts.name: facts.topic_id for facts in (self.source_facts, self.target_facts)}


def open_topics(app: Application, settings: Settings) -> OpenTopics:
    """Find or make both topics, and see that they fit.

    Raises:
        PipelineError: no broker answers; a topic is missing and not to be made; the output topic is unfit.
    """
    broker = Broker(app.config.broker_address, cloud=app.is_quix_app)
    broker.wait()
    if not app.is_quix_app:  # there, names get a prefix
        broker.refuse_hidden(settings.input, settings.output)
    already = broker.topics()
    default = None if app.is_quix_app else -1  # the platform's or the broker's own
    source = app.topic(settings.input, config=TopicConfig(default, default), **_PLAIN)
    if source.name not in already:
        logger.warning("the input topic {} was missing and has been made: is the name right?", source.name)
    found = _facts(broker, source, cloud=app.is_quix_app)
    made = {name: found.config[name] for name in _COPIED if name in found.config} | _ANY_TIMESTAMP
    if app.is_quix_app:  # the platform has no settings for the others
        made = {name: value for name, value in made.items() if name == "retention.ms"}
    target = app.topic(settings.output, config=TopicConfig(found.partitions, default, made), **_PLAIN)
    wanted = _facts(broker, target, cloud=app.is_quix_app)
    check(found, wanted)
    return OpenTopics(source, target, found, wanted, broker.admin)


def _facts(broker: Broker, topic: Topic, *, cloud: bool) -> TopicFacts:
    """What the broker says of a topic; where it may not, what Quix Cloud does, which knows no limit of a record."""
    try:
        (facts,) = broker.facts(topic.name)
    except KafkaException as error:
        if not cloud or error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
    else:
        return facts
    logger.warning(
        "Quix Cloud's broker does not tell the settings of {}: Kafka's usual max.message.bytes={} is taken for it",
        *(topic.name, _USUAL_LIMIT),
    )
    known = topic.broker_config
    config = {name: str(value) for name, value in known.extra_config.items()} | {"max.message.bytes": _USUAL_LIMIT}
    return TopicFacts(topic.name, known.num_partitions or 1, config, broker.topic_id(topic.name))


def check(source: TopicFacts, target: TopicFacts) -> None:
    """Refuse an output topic that would lose records, and warn of what a reader would not expect.

    Raises:
        Misconfigured: the output topic is the input topic, is compacted, or has fewer partitions than the input topic.
    """
    if source.name == target.name:
        raise Misconfigured(f"input and output are the same topic, {target.name!r}: give `output` another name")
    if "compact" in target.config.get("cleanup.policy", ""):
        raise Misconfigured(
            f"the output topic {target.name!r} is compacted (cleanup.policy={target.config['cleanup.policy']}): "
            "it takes no null keys and would drop records; allowed: cleanup.policy=delete"
        )
    if target.partitions < source.partitions:
        raise Misconfigured(
            f"the output topic {target.name!r} has too few partitions ({target.partitions}): records keep their "
            f"partition, and the input topic {source.name!r} has {source.partitions}; add partitions to the output "
            "topic until it has as many"
        )
    kept, limit = (int(topic.config.get("retention.ms", _UNLIMITED)) for topic in (source, target))
    if limit != _UNLIMITED and (kept == _UNLIMITED or kept > limit):
        logger.warning(
            "{} keeps records for a shorter time (retention.ms={}) than {} ({}): timestamps are kept, so that old "
            "records may expire at once",
            *(target.name, limit, source.name, kept),
        )
    if target.config.get("message.timestamp.type") == "LogAppendTime":
        logger.warning("{} has message.timestamp.type=LogAppendTime: it replaces the timestamps", target.name)
