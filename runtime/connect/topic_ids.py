"""Checks that input and output are the same topics as at start, by their ids.

If a topic is deleted and created again, librdkafka continues at its old offset and skips the records before it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, TopicDescription
from loguru import logger

from runtime import limits
from runtime.connect.repeating_admin import timeouts
from runtime.errors import Misconfigured
from runtime.explain import kafka_error

NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""Sixteen zero bytes: the broker has no topic ids."""

_METADATA_PREFIX = "topic-id:"
_DELETED = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID, KafkaError._UNKNOWN_TOPIC}  # noqa: SLF001


class TopicIds:
    """The ids of both topics at start.

    Args:
        admin: requests the current ids.
        ids: the ids at start, by topic name.
        read_to: gives the offsets up to which the input was read, for the error's text.
        mark: what the metadata of a commit begin with, before the topic id.
    """

    def __init__(self, admin: AdminClient, ids: Mapping[str, str], read_to: Callable[[], str], mark: str = "") -> None:
        self._admin = admin
        self._read_to = read_to
        self._mark = f"{mark}{_METADATA_PREFIX}"
        self._ids = {name: topic_id for name, topic_id in ids.items() if topic_id != NO_ID}
        self._pending: dict[str, Future[TopicDescription]] = {}
        self._requested_at = 0.0
        self._first_timeout = limits.TOPIC_IDS_REQUEST_TIMEOUT
        self._timeouts: Iterator[float] = iter(())
        for name in ids.keys() - self._ids.keys():
            logger.warning(
                "the broker gives no topic id for {}: records are lost if it is deleted and created again", name
            )

    def request(self) -> None:
        """Request the current ids, without waiting for the answer."""
        self._requested_at = time.monotonic()
        self._timeouts = timeouts(limits.TOPIC_IDS_TIMEOUT, self._first_timeout)
        self._send(next(self._timeouts))

    def check_now(self) -> None:
        """Request the ids and wait for the answer, for example because a replaced topic may explain an error.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            KafkaException: no broker answers.
        """
        self.request()
        self.check()

    def check(self) -> None:
        """Wait for the answer and compare the ids.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            KafkaException: no broker answers.
        """
        error = self._compare()
        while error:
            if (timeout := next(self._timeouts, None)) is None:
                what = f"the topics' ids did not arrive within {limits.TOPIC_IDS_TIMEOUT:.0f} s: {error.str()}"
                raise KafkaException(KafkaError(error.code(), what))
            with suppress(KafkaException):  # refreshes the metadata, as the controller may have moved
                self._admin.list_topics(timeout=limits.TOPIC_IDS_REQUEST_TIMEOUT)
            start = time.monotonic()
            self._send(timeout)
            if (error := self._compare()) is None:  # if answers are slow, give the next request more time at once
                least, most = limits.TOPIC_IDS_REQUEST_TIMEOUT, limits.TOPIC_IDS_TIMEOUT / 3
                self._first_timeout = min(max(least, 2 * (time.monotonic() - start)), most)

    def explain(self, error: Exception) -> Exception:
        """Give the error to report: that a topic was deleted, if that caused `error`, otherwise `error` itself.

        A broker may refuse requests for a deleted topic a little before its metadata show the deletion.
        """
        reason = kafka_error(error)
        if reason is None or reason.code() not in _DELETED:
            return error
        deadline = time.monotonic() + limits.TOPIC_DELETED_TIMEOUT
        try:
            while time.monotonic() < deadline:
                self.check_now()
                time.sleep(limits.TOPIC_IDS_RETRY_PAUSE)
        except Misconfigured as deleted:
            return deleted
        except KafkaException:
            pass
        return error

    def check_periodically(self) -> None:
        """Compare the ids of the last answer, if it has arrived, and request them again. It never waits."""
        if time.monotonic() - self._requested_at < limits.TOPIC_IDS_INTERVAL or not all(
            answer.done() for answer in self._pending.values()
        ):
            return
        if self._pending:
            self._compare()
        self.request()

    def marked(self, offsets: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Add the topic id to offsets to commit, as metadata: a later topic of the same name has other offsets."""
        return [
            TopicPartition(place.topic, place.partition, place.offset, metadata=f"{self._mark}{self._ids[place.topic]}")
            if place.topic in self._ids
            else place
            for place in offsets
        ]

    def is_of_another_topic(self, committed: TopicPartition) -> bool:
        """Whether an offset was committed for a deleted topic of the same name."""
        _, is_marked, marked_id = (committed.metadata or "").rpartition(_METADATA_PREFIX)
        topic_id = self._ids.get(committed.topic)
        return bool(is_marked and topic_id) and marked_id != topic_id

    def _send(self, timeout: float) -> None:
        if self._ids:
            names = TopicCollection(list(self._ids))
            self._pending = self._admin.describe_topics(names, request_timeout=timeout)

    def _compare(self) -> KafkaError | None:
        """Compare the ids with the answers. Give the error if a broker did not answer: the request must be repeated."""
        answers, self._pending = self._pending, {}
        for name, answer in answers.items():
            try:
                topic_id = str(answer.result().topic_id)
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if reason.code() in _DELETED:
                    raise self._replaced(f"{name} was deleted") from error
                return reason
            if topic_id != self._ids[name]:
                change = f"its id was {self._ids[name]} and is {topic_id}"
                raise self._replaced(f"{name} was deleted and created again ({change})")
        return None

    def _replaced(self, what: str) -> Misconfigured:
        return Misconfigured(
            f"{what} while the pipeline was running. It had read up to {self._read_to()}; nothing was committed since, "
            "and records of a new input topic before these offsets were not read. Restart: the pipeline reads a new "
            "input topic from its beginning"
        )
