"""Opens topics to read them, and asks the broker for their partitions and offsets."""

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from confluent_kafka import OFFSET_INVALID, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec
from quixstreams.models.topics.exceptions import TopicNotFoundError

from runtime.connect.causes import Causes
from runtime.connect.coordinators import Coordinator
from runtime.connect.topic_facts import TopicFacts
from runtime.connect.topics import connect
from runtime.errors import Failed, Misconfigured, PipelineError, Stopped, Unavailable
from runtime.explain import TOPIC_SETTINGS, explain, explain_kafka
from runtime.settings import Settings
from tools.verify.reader import ANSWER_WITHIN, NEW_CLIENT_AFTER, PartitionReader

_PAUSE = 0.05  # seconds
# Errors while a partition changes its leader; librdkafka does not mark them as retriable.
_BETWEEN_LEADERS = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError._NOENT,  # noqa: SLF001  (the client knows no leader)
    KafkaError.KAFKA_STORAGE_ERROR,  # a log directory has failed: another broker will lead its partitions
}
_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()
_Answer = TypeVar("_Answer")


class Topics:
    """Opens topics and answers questions about them.

    Args:
        settings: those of the pipeline.
        patience: how long a broker may not answer, in seconds.
        how_to_skip: for errors: how to read on after a batch that cannot be decompressed.
        **reader: further settings of librdkafka for the readers.

    Raises:
        PipelineError: no broker answers.
    """

    def __init__(self, settings: Settings, patience: float, how_to_skip: str, **reader: object) -> None:
        self._app, self._broker = connect(settings)
        self.causes = Causes(self._broker)
        """Finds out why the broker does not do what it is asked to do."""
        connection = self._broker.connection
        self.patience, self.how_to_skip = patience, how_to_skip
        self._address = connection.bootstrap_servers
        self._client = connection.as_librdkafka_dict()
        self._reader = {**self._client, **reader}
        self._names: set[str] = set()
        self._admin = self._new_admin()

    def facts(self, *names: str) -> list[TopicFacts]:
        """Return the facts of topics.

        Args:
            names: those of the settings; Quix Cloud adds a prefix.

        Raises:
            PipelineError: a topic is missing, or a permission on it is.
        """
        try:
            with self.causes.explained():
                if not self._app.is_quix_app:
                    self._broker.check_topics_visible(*names)
                found = self._broker.facts(*(self._app.topic(name).name for name in names))
        except TopicNotFoundError as error:
            raise Misconfigured(f"{error}; correct {TOPIC_SETTINGS}") from error
        self._names.update(one.name for one in found)
        self.causes = Causes(self._broker, read=self._names)
        return found

    def _new_admin(self) -> AdminClient:
        return AdminClient({**self._client, "log_level": 0})

    def reader(self, facts: TopicFacts) -> PartitionReader:
        """Return a reader of a topic."""
        return PartitionReader(self._reader, facts.name, self)

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
        """Return the offset of the first record at or after this timestamp, or None if there is none.

        The timestamp is in milliseconds.
        """
        found = self._offsets(facts, {partition: OffsetSpec.for_timestamp(timestamp)})[partition]
        return found if found >= 0 else None

    def first_since(self, facts: TopicFacts, partition: int, timestamp: int | None) -> int:
        """Return the offset of the first record at or after this timestamp, otherwise the end.

        A timestamp of None means the begin.
        """
        if timestamp is None:
            return self.begins(facts, [partition])[partition]
        found = self.from_time(facts, partition, timestamp)
        return self.ends(facts, [partition])[partition] if found is None else found

    def first_left(self, reader: PartitionReader, facts: TopicFacts, partition: int) -> int:
        """Return the first offset that is left in a partition of the topic that a reader reads.

        Raises:
            Failed: the reader's next record was not deleted: the topic was created again.
        """
        first = self.begins(facts, [partition])[partition]
        if reader.deleted and first <= reader.at:
            place = f"{facts.name}[{partition}]@{reader.at}"
            raise Failed(f"{place} does not exist any more: the topic was deleted and created again")
        return first

    def _offsets(self, facts: TopicFacts, wanted: dict[int, OffsetSpec]) -> dict[int, int]:
        if not wanted:
            return {}
        asked = {TopicPartition(facts.name, partition): spec for partition, spec in wanted.items()}
        options: Any = {"isolation_level": IsolationLevel.READ_COMMITTED, "request_timeout": ANSWER_WITHIN}
        return self.ask(
            lambda: {
                place.partition: _offset(answer.result())
                for place, answer in self._admin.list_offsets(asked, **options).items()
            }
        )

    def ask(self, question: Callable[[], _Answer], missing: Coordinator | None = None) -> _Answer:
        """Repeat a request until the broker answers.

        Args:
            question: makes the request.
            missing: the coordinator that is asked, if one is.

        Raises:
            PipelineError: it did not answer for too long.
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
                    raise self.no_answer(error.args[0].str(), missing) from error
                if now > renewed + NEW_CLIENT_AFTER:
                    self._admin, renewed = self._new_admin(), now
                time.sleep(_PAUSE)

    def raise_unless_temporary(self, error: KafkaError) -> None:
        """Raise the error, unless it is temporary."""
        if not is_temporary(error, self._address):
            raise KafkaException(error)

    def no_answer(self, detail: str, missing: Coordinator | None = None) -> PipelineError:
        """The error if a broker did not answer for too long: the cause, if it can be found."""
        text = f"waited {self.patience:.0f} s: {detail}"
        error = KafkaException(KafkaError(KafkaError._TIMED_OUT, text))  # noqa: SLF001  (an error code)
        return explain(self.causes.explain(error, missing), self._broker.address, cloud=self._broker.cloud)


def _offset(answer: ListOffsetsResultInfo) -> int:
    """The offset. librdkafka gives an invalid one, and no error, if the broker ends before it answers."""
    if answer.offset == OFFSET_INVALID:
        raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
    return int(answer.offset)


class TopicPair(Topics):
    """The input and the output topic, and the dead-letter topic if there is one.

    Args:
        settings: those of the pipeline.
        patience: how long a broker may not answer, in seconds.

    Raises:
        PipelineError: no broker answers, or a topic is missing.
    """

    dead_letter: TopicFacts | None = None

    def __init__(self, settings: Settings, patience: float) -> None:
        try:
            super().__init__(settings, patience, "verify the records after it with --from-timestamp or --last")
        except Stopped as stop:
            raise Failed(f"{stop}: there is no verdict") from stop
        self.source, self.target, *others = self.facts(*settings.topics)
        self.dead_letter = others[0] if others else None


def is_temporary(error: KafkaError, address: str) -> bool:
    """Whether the error is temporary."""
    known = error.retriable() or error.code() in _BETWEEN_LEADERS
    return known or isinstance(explain_kafka(error, address), Unavailable)
