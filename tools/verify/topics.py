"""Reads the two topics (read_committed), one partition at a time, up to a given offset."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from quixstreams import Application
from quixstreams.models.topics.exceptions import TopicNotFoundError

from runtime.connect.broker import BrokerAdmin
from runtime.connect.destroy import destroy
from runtime.connect.repeating_admin import RepeatingTopicManager
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed, Misconfigured, Stopped, Unavailable
from runtime.explain import bad_batch, explain_kafka
from runtime.settings import Settings

BATCH = 10_000
"""The most records taken at once."""

ANSWER_WITHIN = 10.0
"""Seconds that the broker has for one answer."""

_READER = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 10,  # an empty partition must not delay the next one
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 100_000,
    "queued.max.messages.kbytes": 16_384,  # bounds the memory
}
_IDLE_WAIT = 0.05  # seconds
_NEW_CLIENT_AFTER = 10.0  # seconds without an answer: a client sometimes stays stuck after leaders have moved
# Errors while a partition changes its leader; librdkafka does not mark them as retriable.
_BETWEEN_LEADERS = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.KAFKA_STORAGE_ERROR,  # a log directory has failed: another broker will lead its partitions
}
_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}
_OF_THE_RANGE = {*_OUT_OF_RANGE, KafkaError._PARTITION_EOF, KafkaError._BAD_COMPRESSION}
_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()
_Answer = TypeVar("_Answer")


class TopicPair:
    """The input and the output topic; `patience` is how long a broker may not answer, in seconds.

    Raises:
        PipelineError: no broker answers, or a topic is missing.
    """

    def __init__(self, settings: Settings, patience: float) -> None:
        known, topics = settings.connection(), RepeatingTopicManager()
        app = Application(
            known,
            quix_sdk_token=settings.sdk_token.get_secret_value() if settings.sdk_token else None,
            consumer_group=settings.consumer_group,
            loglevel=None,
            auto_create_topics=False,
            topic_manager=topics if known else None,
            use_changelog_topics=False,
        )
        connection = app.config.broker_address
        broker = BrokerAdmin(connection)
        try:
            broker.wait()
        except Stopped as stop:
            raise Failed(f"{stop}: there is no verdict") from stop
        topics.use(broker.repeating)
        if not app.is_quix_app:
            broker.check_topics_visible(settings.input, settings.output)
        try:
            names = [app.topic(name).name for name in (settings.input, settings.output)]
        except TopicNotFoundError as error:
            raise Misconfigured(f"{error}; correct `input` or `output`") from error
        self.patience = patience
        self.source, self.target = broker.facts(*names)
        self._address = connection.bootstrap_servers
        self._client = connection.as_librdkafka_dict()
        self._admin = self._new_admin()

    def _new_admin(self) -> AdminClient:
        return AdminClient({**self._client, "log_level": 0})

    def reader(self, facts: TopicFacts) -> "PartitionReader":
        """Return a reader of one of the topics."""
        return PartitionReader({**self._client, **_READER, "group.id": "verify"}, facts.name, self)

    def partitions(self, facts: TopicFacts) -> int:
        """The topic's present number of partitions."""
        return self.ask(lambda: len(self._admin.list_topics(facts.name, ANSWER_WITHIN).topics[facts.name].partitions))

    def begins(self, facts: TopicFacts, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset of each partition."""
        return self._offsets(facts, dict.fromkeys(partitions, _EARLIEST))

    def ends(self, facts: TopicFacts, partitions: Iterable[int]) -> dict[int, int]:
        """Return the end offset of each partition for a read_committed reader."""
        return self._offsets(facts, dict.fromkeys(partitions, _LATEST))

    def from_time(self, facts: TopicFacts, partition: int, timestamp: int) -> int | None:
        """Return the offset of the first record at or after this timestamp, in milliseconds; None if there is none."""
        found = self._offsets(facts, {partition: OffsetSpec.for_timestamp(timestamp)})[partition]
        return found if found >= 0 else None

    def _offsets(self, facts: TopicFacts, wanted: dict[int, OffsetSpec]) -> dict[int, int]:
        if not wanted:
            return {}
        asked = {TopicPartition(facts.name, partition): spec for partition, spec in wanted.items()}
        options: Any = {"isolation_level": IsolationLevel.READ_COMMITTED, "request_timeout": ANSWER_WITHIN}
        return self.ask(
            lambda: {
                place.partition: answer.result().offset
                for place, answer in self._admin.list_offsets(asked, **options).items()
            }
        )

    def ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Repeat a request until the broker answers.

        Raises:
            Unavailable: it did not answer for too long.
            KafkaException: it refused.
        """
        asked = renewed = time.monotonic()
        while True:
            try:
                return question()
            except KafkaException as error:
                self.raise_unless_temporary(error.args[0])
                now = time.monotonic()
                if now > asked + self.patience:
                    raise self.unavailable(error.args[0].str()) from error
                if now > renewed + _NEW_CLIENT_AFTER:
                    self._admin, renewed = self._new_admin(), now
                time.sleep(_IDLE_WAIT)

    def raise_unless_temporary(self, error: KafkaError) -> None:
        """Raise the error, unless it is temporary."""
        if not is_temporary(error, self._address):
            raise KafkaException(error)

    def unavailable(self, detail: str) -> Unavailable:
        """The error if a broker did not answer for too long."""
        text = f"the broker at {self._address} did not answer within {self.patience:.0f} s (Quix__Broker__Address)"
        return Unavailable(f"{text}: {detail}")


def is_temporary(error: KafkaError, address: str) -> bool:
    """Whether the error is temporary."""
    known = error.retriable() or error.code() in _BETWEEN_LEADERS
    return known or isinstance(explain_kafka(error, address), Unavailable)


class PartitionReader:
    """Reads one topic, a range of one partition at a time."""

    def __init__(self, config: dict[str, Any], topic: str, topics: TopicPair) -> None:
        self.done = True
        """Whether the range has been read to its end."""
        self.at = 0
        """The next offset."""
        self.deleted = False
        """Whether the next record was deleted (retention) before it could be read: the range must begin later."""
        self._config = config
        self._topic = topic
        self._topics = topics
        self._place = TopicPartition(topic, -1)
        self._end = 0
        self._heard = self._assigned = 0.0
        self._consumer = self._new_consumer()
        self._consumer.list_topics(topic, timeout=ANSWER_WITHIN)  # knowing the leaders saves half a second

    def _new_consumer(self) -> Consumer:
        return Consumer(self._config, logger=logging.getLogger("librdkafka"))

    def begin(self, partition: int, begin: int, end: int) -> None:
        """Start to read this range."""
        self.at, self._end, self.done, self.deleted = begin, end, begin >= end, False
        self._heard = time.monotonic()
        if not self.done:
            self._assign(partition)

    def _assign(self, partition: int) -> None:
        self._assigned = time.monotonic()
        self._place = TopicPartition(self._topic, partition, self.at)
        self._consumer.assign([self._place])

    def read(self) -> list[Message]:
        """Return what has arrived, at most BATCH records; nothing if nothing arrives for a moment.

        Raises:
            PipelineError: the broker did not answer for too long, or a batch cannot be decompressed.
            KafkaException: it refuses.
        """
        arrived = self._consumer.consume(BATCH, 0) or self._consumer.consume(1, _IDLE_WAIT)
        if arrived:
            self._heard = time.monotonic()
        elif time.monotonic() > self._heard + self._topics.patience:
            raise self._topics.unavailable(f"waited for {self._topic}[{self._place.partition}]@{self.at}")
        elif time.monotonic() > max(self._heard, self._assigned) + _NEW_CLIENT_AFTER:
            stuck, self._consumer = [self._consumer], self._new_consumer()
            destroy(stuck)
            self._assign(self._place.partition)
        if arrived and arrived[-1].error() is None and arrived[-1].offset() < self._end - 1:
            self.at = arrived[-1].offset() + 1
            if all(message.error() is None for message in arrived):
                return list(arrived)
        return [message for message in arrived if self._is_wanted(message)]

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def _is_wanted(self, message: Message) -> bool:
        """Whether it is a record of the range; errors and the end are handled."""
        error = message.error()
        if error is not None:
            self._handle(error, message.partition(), message.offset())
            return False
        is_wanted = not self.done and message.offset() < self._end
        if is_wanted:
            self.at = message.offset() + 1
        self.done = self.done or message.offset() >= self._end - 1
        if self.done:
            self.at = self._end
        return is_wanted

    def _handle(self, error: KafkaError, partition: int, offset: int) -> None:
        """Handle an error of the range, or its end."""
        if error.code() not in _OF_THE_RANGE:
            self._topics.raise_unless_temporary(error)
        elif self.done or partition != self._place.partition:
            pass  # of an earlier range
        elif error.code() in _OUT_OF_RANGE:
            self.deleted = self.deleted or offset >= self.at  # otherwise it is of an earlier range
        elif offset >= self._end:
            self.at, self.done = self._end, True
        elif error.code() == KafkaError._BAD_COMPRESSION:
            place = f"{self._topic}[{partition}]@{offset}"
            raise bad_batch(place, error, "verify the records after it with --from-timestamp or --last")
