"""Whether input and output are still the topics that they were at start: a topic is its id, not its name.

librdkafka reads on at its old offset in a topic that was deleted and created again, and so skips what lies before it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, TopicDescription
from loguru import logger

from runtime import limits
from runtime.errors import Misconfigured
from runtime.explain import kafka_error

NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""Sixteen zero bytes: the broker does not know topic ids."""

_MARK = "topic-id:"
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC}  # noqa: SLF001


class TopicIds:
    """The ids of both topics, as the broker told them at start.

    Args:
        admin: asks for them.
        ids: by the topics' names.
        read_to: tells, for the error, which offsets of the input have been read.
    """

    def __init__(self, admin: AdminClient, ids: Mapping[str, str], read_to: Callable[[], str]) -> None:
        self._admin = admin
        self._read_to = read_to
        self._ids = {name: topic_id for name, topic_id in ids.items() if topic_id != NO_ID}
        self._answers: dict[str, Future[TopicDescription]] = {}
        self._asked = 0.0
        for name in ids.keys() - self._ids.keys():
            logger.warning("the broker tells no id of {}: if it is deleted and created again, records are lost", name)

    def ask(self) -> None:
        """Ask for the present ids; the answer comes while other work is done."""
        self._asked = time.monotonic()
        self._send()

    def check_now(self) -> None:
        """Ask, and wait for the answer: an error may have come of it that a topic is another one.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            KafkaException: no broker answers.
        """
        self.ask()
        self.check()

    def check(self) -> None:
        """Wait for the answer.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            KafkaException: no broker answers.
        """
        while not self._all_answered():
            with suppress(KafkaException):  # librdkafka asks the controller, which may be another broker by now
                self._admin.list_topics(timeout=limits.TOPIC_IDS_REQUEST_TIMEOUT)
            self._send()

    def explain(self, error: Exception) -> Exception:
        """Give the error to tell: that a topic was deleted, if `error` comes of that, and else `error` itself.

        Brokers may refuse a request for a topic that is gone a little before their metadata say that it is.
        """
        reason = kafka_error(error)
        if reason is None or reason.code() not in _GONE:
            return error
        deadline = time.monotonic() + limits.TOPIC_GONE_TIMEOUT
        try:
            while time.monotonic() < deadline:
                self.check_now()
                time.sleep(limits.TOPIC_IDS_RETRY_PAUSE)
        except Misconfigured as gone:
            return gone
        except KafkaException:
            pass
        return error

    def check_now_and_then(self) -> None:
        """Look at the answer that has come meanwhile, if any, and ask again; it never waits."""
        if time.monotonic() - self._asked < limits.TOPIC_IDS_INTERVAL or not all(
            answer.done() for answer in self._answers.values()
        ):
            return
        if self._answers:
            self._all_answered()
        self.ask()

    def marked(self, offsets: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Offsets to commit, with the id of their topic as metadata: a later topic of that name has other offsets."""
        return [
            TopicPartition(place.topic, place.partition, place.offset, metadata=f"{_MARK}{self._ids[place.topic]}")
            if place.topic in self._ids
            else place
            for place in offsets
        ]

    def is_of_another_topic(self, committed: TopicPartition) -> bool:
        """Whether an offset was committed for a topic of the same name that is gone."""
        mark, known = committed.metadata or "", self._ids.get(committed.topic)
        return known is not None and mark.startswith(_MARK) and mark != f"{_MARK}{known}"

    def _send(self) -> None:
        if self._ids:
            wanted = TopicCollection(list(self._ids))
            self._answers = self._admin.describe_topics(wanted, request_timeout=limits.TOPIC_IDS_REQUEST_TIMEOUT)

    def _all_answered(self) -> bool:
        """Whether every answer is there and right; False to ask again, as a broker was away."""
        answers, self._answers = self._answers, {}
        for name, answer in answers.items():
            try:
                topic_id = str(answer.result().topic_id)
            except KafkaException as error:
                if error.args[0].code() in _GONE:
                    raise self._replaced(f"{name} was deleted") from error
                if time.monotonic() - self._asked > limits.TOPIC_IDS_TIMEOUT:
                    raise
                return False
            if topic_id != self._ids[name]:
                was = f"{name} was deleted and created again, as its id {topic_id} (before: {self._ids[name]}) tells,"
                raise self._replaced(was)
        return True

    def _replaced(self, what: str) -> Misconfigured:
        return Misconfigured(
            f"{what} while the pipeline ran, which had read up to {self._read_to()}: nothing was committed since, and "
            "records of a new input below these offsets were not read. Start the pipeline again: it reads a new input "
            "from its beginning"
        )
