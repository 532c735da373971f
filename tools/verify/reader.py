"""Reads a topic (read_committed), one partition at a time, up to a given offset."""

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from runtime.connect.destroy import destroy
from runtime.explain import BAD_BATCH, bad_batch

if TYPE_CHECKING:
    from tools.verify.topics import Topics

BATCH = 10_000
"""The most records taken at once."""

ANSWER_WITHIN = 10.0
"""Seconds that the broker has for one answer."""

NEW_CLIENT_AFTER = 10.0
"""Seconds without an answer: a client sometimes stays stuck after leaders have moved."""

_READER = {
    "group.id": "verify",  # never joined: partitions are assigned
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
_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}
_OF_THE_RANGE = {*_OUT_OF_RANGE, KafkaError._PARTITION_EOF, *BAD_BATCH}


class PartitionReader:
    """Reads one topic, a range of one partition at a time."""

    def __init__(self, config: dict[str, Any], topic: str, topics: "Topics") -> None:
        self.done = True
        """Whether the range has been read to its end."""
        self.at = 0
        """The next offset."""
        self.deleted = False
        """Whether the next record was deleted (retention) before it could be read: the range must begin later."""
        self._config = {**_READER, **config}
        self._topic = topic
        self._topics = topics
        self._place = TopicPartition(topic, -1)
        self._end = 0
        self._heard = self._assigned = 0.0
        self._consumer = self._new_consumer()
        topics.ask(partial(self._consumer.list_topics, topic, ANSWER_WITHIN))  # knowing the leaders saves half a second

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
        """Return what has arrived, at most BATCH records, or nothing if nothing arrives for a moment.

        Raises:
            PipelineError: the broker did not answer for too long, or a batch cannot be read.
            KafkaException: it refuses.
        """
        arrived = self._consumer.consume(BATCH, 0) or self._consumer.consume(1, _IDLE_WAIT)
        if arrived:
            self._heard = time.monotonic()
        elif time.monotonic() > self._heard + self._topics.patience:
            raise self._topics.no_answer(f"no record arrived from {self._topic}[{self._place.partition}]@{self.at}")
        elif time.monotonic() > max(self._heard, self._assigned) + NEW_CLIENT_AFTER:
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
        """Whether it is a record of the range. Errors and the end are handled."""
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

    def _handle(self, error: KafkaError, partition: int, offset: int | None) -> None:
        """Handle an error of the range, or its end."""
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            pass  # librdkafka looks for the coordinator of a group that is not used
        elif error.code() not in _OF_THE_RANGE:
            self._topics.raise_unless_temporary(error)
        elif self.done or partition != self._place.partition:
            pass  # of an earlier range
        elif offset is None:  # the client doubts its offset after a new leader's answer; only a fetch can tell
            self._assign(partition)
        elif error.code() in _OUT_OF_RANGE:
            self.deleted = self.deleted or offset >= self.at  # otherwise it is of an earlier range
        elif offset >= self._end:
            self.at, self.done = self._end, True
        elif error.code() in BAD_BATCH:
            place = f"{self._topic}[{partition}]@{offset}"
            raise bad_batch(place, error, self._topics.how_to_skip)
