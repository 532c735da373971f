"""Finds or creates the input and output topics at start, and checks that they suit each other."""

from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from loguru import logger
from quixstreams import Application
from quixstreams.models import Topic, TopicConfig

from runtime.connect.broker import BrokerAdmin
from runtime.connect.causes import Causes
from runtime.connect.coordinators import GROUPS, wait_for_group_coordinator
from runtime.connect.quix_cloud import quix_cloud
from runtime.connect.repeating_admin import RepeatingTopicManager
from runtime.connect.timestamp_limits import AFTER, BEFORE, UNLIMITED
from runtime.connect.topic_facts import DEFAULT_MAX_MESSAGE_BYTES, TopicFacts, number
from runtime.errors import Misconfigured
from runtime.settings import Settings

_UNLIMITED = -1
# An output topic created here gets these settings of the input topic: the same retention and largest batch.
_COPIED_SETTINGS = ("retention.ms", "max.message.bytes")
ROOM_FOR_HEADERS = 4_096
"""Bytes by which a dead-letter topic created here takes larger records than the input topic."""

LEAST_DEAD_LETTER_BYTES = 4_096
"""The least max.message.bytes of a dead-letter topic: a stub without the original's key and headers always fits."""

_ANY_TIMESTAMP = dict.fromkeys((BEFORE, AFTER), f"{UNLIMITED}")
_BYTES: Any = dict.fromkeys(("key_deserializer", "value_deserializer", "key_serializer", "value_serializer"), "bytes")


@dataclass(frozen=True)
class OpenTopics:
    """The input and the output topic, with bytes as keys and values, and the facts of all topics."""

    source: Topic
    target: Topic
    source_facts: TopicFacts
    target_facts: TopicFacts
    dead_letter_facts: TopicFacts | None
    broker: BrokerAdmin

    @property
    def written(self) -> list[TopicFacts]:
        """The facts of the topics that the pipeline writes to."""
        return [self.target_facts, *([self.dead_letter_facts] if self.dead_letter_facts else [])]

    @property
    def ids(self) -> dict[str, str]:
        """The topics' ids, by name."""
        return {facts.name: facts.topic_id for facts in (self.source_facts, *self.written)}


def open_topics(app: Application, settings: Settings, topic_manager: RepeatingTopicManager) -> OpenTopics:
    """Find or create the topics, check them, and wait for the coordinator of the consumer group.

    Args:
        app: finds and creates the topics.
        settings: the topics' names.
        topic_manager: is told which admin client to use; `app` has it, except on Quix Cloud.

    Raises:
        PipelineError: no broker answers; a topic is missing and AUTO_CREATE_TOPICS is false; the output or the
            dead-letter topic is unsuitable; the group has no coordinator.
    """
    broker = BrokerAdmin(app.config.broker_address, cloud=app.is_quix_app)
    broker.wait()
    topic_manager.use(broker.repeating)
    causes = Causes(broker)
    with causes.explained():
        opened = _open_topics(app, settings, broker)
    with causes.explained(GROUPS):
        wait_for_group_coordinator(broker, app.config.consumer_group, opened.source.name)
    return opened


def _open_topics(app: Application, settings: Settings, broker: BrokerAdmin) -> OpenTopics:
    if not app.is_quix_app:  # Quix Cloud adds a prefix to names
        broker.check_topics_visible(*settings.topics)
    existing = broker.topics()
    default = None if app.is_quix_app else -1  # the default of Quix Cloud or of the broker
    source = app.topic(settings.input, config=TopicConfig(default, default), **_BYTES)
    if source.name not in existing:
        logger.warning("the input topic {} did not exist and was created; check the name", source.name)
    source_facts = topic_facts(broker, source, cloud=app.is_quix_app)
    config = {name: source_facts.config[name] for name in _COPIED_SETTINGS if name in source_facts.config}
    config |= _ANY_TIMESTAMP
    if app.is_quix_app:  # Quix Cloud does not set the others
        config = {name: value for name, value in config.items() if name == "retention.ms"}
    target = app.topic(settings.output, config=TopicConfig(source_facts.partitions, default, config), **_BYTES)
    target_facts = topic_facts(broker, target, cloud=app.is_quix_app)
    check_topics_fit(source_facts, target_facts)
    dead_letter_facts = None
    if settings.dead_letter:
        if "max.message.bytes" in config:
            config["max.message.bytes"] = f"{source_facts.max_message_bytes + ROOM_FOR_HEADERS}"
        topic_config = TopicConfig(source_facts.partitions, default, config)
        dead_letter = app.topic(settings.dead_letter, config=topic_config, **_BYTES)
        dead_letter_facts = topic_facts(broker, dead_letter, cloud=app.is_quix_app)
        check_dead_letters_fit(source_facts, target_facts, dead_letter_facts)
    return OpenTopics(source, target, source_facts, target_facts, dead_letter_facts, broker)


def connect(settings: Settings) -> tuple[Application, BrokerAdmin]:
    """Connect to the broker for a look at topics that exist: the application finds them, and creates none.

    Raises:
        PipelineError: no broker answers, or it refuses.
    """
    connection, topic_manager = settings.connection(), RepeatingTopicManager()
    app = Application(
        connection,
        quix_config_builder=quix_cloud(settings),
        quix_portal_api=settings.portal_api,
        consumer_group=settings.consumer_group,
        loglevel=None,
        auto_create_topics=False,
        topic_manager=topic_manager if connection else None,
        use_changelog_topics=False,
    )
    broker = BrokerAdmin(app.config.broker_address, cloud=app.is_quix_app)
    broker.wait()
    topic_manager.use(broker.repeating)
    return app, broker


def topic_facts(broker: BrokerAdmin, topic: Topic, *, cloud: bool) -> TopicFacts:
    """Get a topic's facts from the broker, or from Quix Cloud's API if the broker refuses to give them."""
    try:
        (facts,) = broker.facts(topic.name)
    except KafkaException as error:
        if not cloud or error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise
    else:
        return facts
    logger.warning(
        "Quix Cloud's broker refuses to give the settings of {}; assuming Kafka's default max.message.bytes={}",
        *(topic.name, DEFAULT_MAX_MESSAGE_BYTES),
    )
    platform = topic.broker_config
    config = {name: str(value) for name, value in platform.extra_config.items()} | {
        "max.message.bytes": f"{DEFAULT_MAX_MESSAGE_BYTES}"
    }
    topic_id = broker.repeating.describe(topic.name).topic_id
    return TopicFacts(topic.name, platform.num_partitions or 1, config, f"{topic_id}")


def check_topics_fit(source: TopicFacts, target: TopicFacts) -> None:
    """Refuse an output topic that would lose records, and warn of surprising settings.

    Raises:
        Misconfigured: the output topic is the input topic, is compacted, or has fewer partitions than the input topic.
    """
    if source.name == target.name:
        raise Misconfigured(f"output must differ from input (both are {target.name!r})")
    _check_takes_records(source, target, "output")
    _warn_of_retention(source, target)


def check_dead_letters_fit(source: TopicFacts, target: TopicFacts, dead_letter: TopicFacts) -> None:
    """Refuse a dead-letter topic that would lose records, and warn of surprising settings.

    Raises:
        Misconfigured: it is the input or the output topic, is compacted, takes too small records only, or has fewer
            partitions than the input topic.
    """
    if dead_letter.name in {source.name, target.name}:
        raise Misconfigured(f"dead_letter must differ from input and output (it is {dead_letter.name!r})")
    _check_takes_records(source, dead_letter, "dead-letter")
    if dead_letter.max_message_bytes < LEAST_DEAD_LETTER_BYTES:
        raise Misconfigured(
            f"the dead-letter topic {dead_letter.name!r} takes only records of {dead_letter.max_message_bytes} bytes: "
            f"set its max.message.bytes to {LEAST_DEAD_LETTER_BYTES} or more"
        )
    _warn_of_retention(source, dead_letter)


def _check_takes_records(source: TopicFacts, target: TopicFacts, kind: str) -> None:
    if "compact" in target.config.get("cleanup.policy", ""):
        raise Misconfigured(
            f"the {kind} topic {target.name!r} is compacted (cleanup.policy={target.config['cleanup.policy']}): "
            "it refuses null keys and drops records; set cleanup.policy=delete"
        )
    if target.partitions < source.partitions:
        raise Misconfigured(
            f"the {kind} topic {target.name!r} has too few partitions ({target.partitions}): records keep their "
            f"partition, and the input topic {source.name!r} has {source.partitions}; add partitions to it"
        )


def _warn_of_retention(source: TopicFacts, target: TopicFacts) -> None:
    if not number(target.config, "max.message.bytes", 0):
        logger.warning(
            "the broker does not report max.message.bytes of {}: assuming Kafka's default, {}; if it is smaller, the "
            "broker refuses large records",
            *(target.name, DEFAULT_MAX_MESSAGE_BYTES),
        )
    source_ms = number(source.config, "retention.ms", 0)
    target_ms = number(target.config, "retention.ms", _UNLIMITED)
    if target_ms != _UNLIMITED and (source_ms == _UNLIMITED or source_ms > target_ms):
        logger.warning(
            "retention.ms of {} ({}) is shorter than that of {} ({}): records keep their timestamps, so old ones may "
            "expire at once",
            *(target.name, target_ms, source.name, source_ms),
        )
    if target.config.get("message.timestamp.type") == "LogAppendTime":
        logger.warning("{} has message.timestamp.type=LogAppendTime: the broker replaces the timestamps", target.name)
