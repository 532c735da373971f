"""Ends each checkpoint: waits for delivery, checks the topics' ids, commits, or retries the batch."""

import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException
from loguru import logger
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError
from quixstreams.processing import ProcessingContext

from runtime import limits
from runtime.connect.topic_ids import TopicIds
from runtime.errors import OutputTooSlow
from runtime.explain import kafka_error
from runtime.loop.batches import Batches
from runtime.loop.producer_renewal import ProducerRenewal
from runtime.loop.sink import Sink

_REFUSED_TIMESTAMP = {KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD}
_PRODUCER_FAILURES = {
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,  # a late Produce request of an earlier transaction arrived in between
    KafkaError._FATAL,  # the first error says the cause
    KafkaError.INVALID_TXN_STATE,
    KafkaError._FENCED,  # the transaction took too long; or it is another worker, which ProducerRenewal finds out
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.UNKNOWN,  # a broker may answer this to a commit while another producer takes the transactional id
}
_EXPIRED = {KafkaError.UNKNOWN_PRODUCER_ID, KafkaError.INVALID_PRODUCER_ID_MAPPING}
"""The errors of a producer that was idle for longer than the broker's `transactional.id.expiration.ms`."""
DELIVERY_FAILURES = (KafkaProducerDeliveryError, KafkaException, OutputTooSlow, SystemError)
"""The errors of a failed delivery. confluent-kafka may raise SystemError instead of a fatal error."""


class Checkpoints:
    """Replaces Quix's `commit_checkpoint`, with delivery timeouts, checks and retries.

    Args:
        context: holds the current checkpoint.
        renewal: replaces its producer.
        batches: the records of the current transaction.
        topic_ids: the ids of the topics.
        sink: holds the timestamp limits of the topics that it writes to, and the totals.
    """

    def __init__(
        self,
        context: ProcessingContext,
        renewal: ProducerRenewal,
        batches: Batches,
        topic_ids: TopicIds,
        sink: Sink,
    ) -> None:
        self._context = context
        self._commit: Callable[..., None] = context.commit_checkpoint
        self._renewal = renewal
        self._batches = batches
        self._topic_ids = topic_ids
        self._sink = sink
        self._totals = sink.totals
        self._last_commit = time.monotonic()

    def end(self, *, force: bool = False, revoking: bool = False) -> None:
        """End the checkpoint if it is due, and begin the next one.

        Args:
            force: end it even if it is not due.
            revoking: whether its partitions are being revoked.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            OutputTooSlow: no transaction was committed for limits.NO_PROGRESS_TIMEOUT.
        """
        checkpoint = self._context.checkpoint
        if not (force or self._batches.is_commit_due or checkpoint.expired()):
            return
        if checkpoint.empty():
            self._topic_ids.check_periodically()
            self._commit(force=True, revoking=revoking)
            self._last_commit = time.monotonic()
            self._batches.begin()
            return
        started = time.monotonic()
        try:
            self._flush()
        except DELIVERY_FAILURES as error:
            self.retry(error)
            return
        self._topic_ids.check()
        try:
            self._commit(force=True, revoking=revoking)
        except KafkaException as error:
            is_not_committed = error.args[0].code() in _EXPIRED and error.args[0].txn_requires_abort()
            if not is_not_committed and error.args[0].code() not in _PRODUCER_FAILURES:
                raise
            self.retry(error, may_be_committed=not is_not_committed)
            return
        self._last_commit = time.monotonic()
        self._totals.commit(self._last_commit - started)
        self._batches.begin()

    def retry(self, error: Exception, *, may_be_committed: bool = False) -> None:
        """Abort the transaction and process its records again, with a change that avoids the error.

        Args:
            error: one of DELIVERY_FAILURES.
            may_be_committed: whether the error is of a commit, of which the answer may have been lost. The group is
                asked, once the new producer has ended the transaction.

        Raises:
            Misconfigured: a topic was deleted.
            Replaced: another worker with the same INSTANCE_ID has taken this one's place.
            Exception: `error` itself: no change helps, or there was no commit for limits.NO_PROGRESS_TIMEOUT.
        """
        with suppress(KafkaException):  # no broker may answer
            self._topic_ids.check_now()
        cause = _kafka_error_behind(error)
        code = cause.code() if cause else None
        handled = self._batches.attempted
        if code in _REFUSED_TIMESTAMP and self._sink.widen_margins():
            change = "with a wider margin for refused timestamps"
        elif not self._context.exactly_once or time.monotonic() - self._last_commit > limits.NO_PROGRESS_TIMEOUT:
            raise error
        elif isinstance(error, OutputTooSlow) or code == KafkaError._MSG_TIMED_OUT:
            self._batches.size.reduce(handled)
            change = f"{self._batches.size.records} at a time"
        elif code in _EXPIRED:
            change = "with a new producer, as its transactional id has expired (transactional.id.expiration.ms)"
        elif code in _PRODUCER_FAILURES or isinstance(error, SystemError):
            change = "with a new producer"
        else:
            raise error
        logger.warning("{}; retrying the last {} records, {}", cause.str() if cause else error, handled, change)
        self._renewal.discard()
        self._totals.discard()
        self._context.init_checkpoint()
        self._batches.rewind(ask_group=may_be_committed)

    def _flush(self) -> None:
        """Request the topics' ids, and wait until the broker has acknowledged all records.

        Raises:
            OutputTooSlow: it did not within limits.FLUSH_TIMEOUT.
        """
        self._topic_ids.request()
        start = time.monotonic()
        unsent = self._context.producer.flush(limits.FLUSH_TIMEOUT if self._context.exactly_once else None)
        if unsent:
            raise OutputTooSlow(f"the broker did not accept {unsent} records within {time.monotonic() - start:.0f} s")
        self._batches.size.note(self._batches.handled, time.monotonic() - start)


def _kafka_error_behind(error: BaseException | None) -> KafkaError | None:
    """The Kafka error in an exception or in its causes."""
    while error is not None:
        if cause := kafka_error(error):
            return cause
        error = error.__cause__
    return None
