"""Finds or creates the input and the output topic at start, and checks that they fit each other."""

from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from loguru import logger
from quixstreams import Application
from quixstreams.models import Topic, TopicConfig

from runtime.connect.broker import BrokerAdmin, TopicFacts
from runtime.connect.timestamp_limits import AFTER, BEFORE, UNLIMITED
from runtime.errors import Misconfigured
from runtime.settings import Settings

_UNLIMITED = -1
_USUAL_LIMIT = "1048588"  # Kafka's default
# What an output topic made here takes over, so that it refuses nothing that the input took and keeps it as long.
_COPIED = ("retention.ms", "max.message.bytes")
_ANY_TIMESTAMP = dict.fromkeys((BEFORE, AFTER), f"{UNLIMITED}")
_PLAIN: Any = dict.fromkeys(("key_deserializer", "value_deserializer", "key_serializer", "value_serializer"), "bytes")


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
    broker = BrokerAdmin(app.config.broker_address, cloud=app.is_quix_app)
    broker.wait()
    if not app.is_quix_app:  # there, names get a prefix
        broker.check_topics_visible(settings.input, settings.output)
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


def _facts(broker: BrokerAdmin, topic: Topic, *, cloud: bool) -> TopicFacts:
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
