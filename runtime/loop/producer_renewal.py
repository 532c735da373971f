"""Replaces the producer if a request of its last transaction may still reach the broker.

librdkafka repeats a request whose connection broke. The first copy may arrive later, in the next transaction. All
transactions of one producer have the same epoch (librdkafka speaks EndTxn v1, its issue 5423), so the broker would take
the late request for one of the next: an EndTxn would commit half of it. A new producer with the same transactional id
gets a higher epoch: the broker then refuses what was sent under the old one.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import GroupMetadata
from loguru import logger
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError

from runtime import limits
from runtime.connect.destroy import destroy
from runtime.errors import Replaced, Stopped
from runtime.loop.quix import QuixProducer
from runtime.loop.sink import Sink
from runtime.stop.signals import stop_request


class ProducerRenewal:
    """Starts Quix's producer, and replaces it before the next transaction if necessary.

    Args:
        quix: the producer whose transactions it watches.
        config: the configuration of each new producer.
        sink: gets each new producer.
        mark: adds the topic id to the offsets of a commit.
        is_replaced: whether another worker has taken this one's place in the group.
    """

    def __init__(
        self,
        quix: QuixProducer,
        config: Mapping[str, object],
        sink: Sink,
        mark: Callable[[list[TopicPartition]], list[TopicPartition]],
        is_replaced: Callable[[], bool],
    ) -> None:
        self._quix = quix
        self._config = config
        self._sink = sink
        self._mark = mark
        self._is_replaced = is_replaced
        internal = quix.internal
        self._begin, self._commit = internal.begin_transaction, internal.commit_transaction
        self._is_outdated = False
        internal.begin_transaction = self.begin_transaction  # type: ignore[method-assign]
        internal.commit_transaction = self.commit_transaction  # type: ignore[method-assign]

    def start(self, within: float = limits.START_TIMEOUT) -> None:
        """Create a producer as Quix does, but react to signals while a transactional one waits for its id.

        Args:
            within: the time limit for the broker to return the producer id, in seconds. A longer one could exceed
                limits.POLL_TIMEOUT, as a flush may have failed before.

        Raises:
            KafkaException: no broker returned one in time.
            Stopped: a signal asked to stop.
        """
        producer = Producer(self._config)
        with suppress(KafkaException):  # to connect: otherwise librdkafka looks for the coordinator 0.5 s later
            producer.list_topics(self._sink.topic, timeout=limits.SIGNAL_CHECK_INTERVAL)
        deadline = time.monotonic() + within
        while self._quix.transactional:
            try:
                producer.init_transactions(limits.SIGNAL_CHECK_INTERVAL)
                break
            except KafkaException as error:
                cause = error.args[0]
                if not cause.retriable():
                    raise
                if time.monotonic() > deadline:
                    text = f"got no producer id within {within:.0f} s: {cause.str()}"
                    raise KafkaException(KafkaError(cause.code(), text)) from error
            if stop_request.requested:
                raise Stopped("asked to stop while waiting for the transaction coordinator")
        last = self._quix.replace(producer)
        self._is_outdated = False
        self._sink.connect(self._quix, producer)
        destroy(last)

    def begin_transaction(self) -> None:
        """Begin a transaction, with a new producer if the current one is outdated. Begin none if asked to stop.

        Raises:
            Replaced: a new producer would take the transactional id from the worker that has replaced this one.
        """
        if self._is_outdated:
            if stop_request.requested:  # no record follows
                return
            # Only the group tells whether another worker took the transactional id: the broker fences a producer in the
            # same way if its transaction takes too long. A worker that has taken the id but has not joined the group
            # yet loses it here; then this worker is replaced, and the other one takes the id back in the same way.
            if self._is_replaced():
                raise Replaced(
                    "replaced by another worker with the same INSTANCE_ID; restart, with a unique one or none"
                )
            try:
                self.start()
            except Stopped:
                return
        self._begin()

    def commit_transaction(
        self, positions: list[TopicPartition], group_metadata: GroupMetadata, timeout: float | None = None
    ) -> None:
        """Commit. If that takes long, a late request may follow."""
        started = time.monotonic()
        self._commit(self._mark(positions), group_metadata, timeout)
        seconds = time.monotonic() - started
        if seconds > limits.REQUEST_MAY_REPEAT_AFTER:
            logger.debug("a commit took {:.1f} s: the next transaction gets a new producer", seconds)
            self._is_outdated = True

    def discard(self) -> None:
        """Drop undelivered records. The start of the next producer makes the broker abort the open transaction."""
        with suppress(KafkaException, SystemError):  # it may have failed
            self._quix.internal.purge()
        with suppress(KafkaProducerDeliveryError):
            self._quix.raise_for_error()
        self._is_outdated = True
