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
from runtime.explain import exception_chain, kafka_error
from runtime.loop.batches import Batches
from runtime.loop.producer_renewal import ProducerRenewal
from runtime.loop.sink import Sink
from runtime.stop.signals import stop_request

_REFUSED_TIMESTAMP = {KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD}
_PRODUCER_FAILURES = {
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,  # a late Produce request of an earlier transaction arrived in between
    KafkaError._FATAL,  # the first error says the cause
    KafkaError.INVALID_TXN_STATE,
    KafkaError._FENCED,  # the transaction took too long; or it is another worker, which ProducerRenewal finds out
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}
_EXPIRED = {KafkaError.UNKNOWN_PRODUCER_ID, KafkaError.INVALID_PRODUCER_ID_MAPPING}
"""The errors of a producer that was idle for longer than the broker's `transactional.id.expiration.ms`."""
_COMMIT_FAILURES = _PRODUCER_FAILURES | _EXPIRED | {KafkaError.UNKNOWN}
"""Both, and what a broker may answer to a commit while another producer takes the transactional id."""
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
        self._failing_since: float | None = None

    def end(self, *, force: bool = False, revoking: bool = False) -> None:
        """End the checkpoint if it is due, and begin the next one.

        Args:
            force: end it even if it is not due.
            revoking: whether its partitions are being revoked.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            Exception: the error of a delivery or a commit, if no retry helps.
        """
        if self._batches.revoked:  # other records follow
            self._failing_since = None
        checkpoint = self._context.checkpoint
        if not (force or self._batches.is_commit_due or checkpoint.expired()):
            return
        if checkpoint.empty():
            self._topic_ids.check_periodically()
            self._commit(force=True, revoking=revoking)
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
            if error.args[0].code() not in _COMMIT_FAILURES or stop_request.requested:
                raise
            self._abort(error, is_commit=True)
            if not self._is_carried_out():
                self._read_again()
                return
            logger.info("the broker had carried out the commit: nothing is retried")
        self._failing_since = None
        self._totals.commit(time.monotonic() - started)
        self._batches.begin()

    def retry(self, error: Exception) -> None:
        """Abort the transaction and process its records again, with a change that avoids the error.

        Args:
            error: one of DELIVERY_FAILURES.

        Raises:
            Misconfigured: a topic was deleted.
            Replaced: another worker with the same INSTANCE_ID has taken this one's place.
            Exception: `error` itself: no change helps, or there was no commit for limits.NO_PROGRESS_TIMEOUT.
        """
        self._abort(error)
        self._read_again()

    def _abort(self, error: Exception, *, is_commit: bool = False) -> None:
        """Abort the transaction and begin the next one, with a change that avoids the error."""
        with suppress(KafkaException):  # no broker may answer
            self._topic_ids.check_now()
        cause = next(filter(None, map(kafka_error, exception_chain(error))), None)
        handled = self._batches.attempted
        change = self._change(error, cause.code() if cause else None, is_commit=is_commit)
        logger.warning("{}; retrying the last {} records, {}", cause.str() if cause else error, handled, change)
        if is_commit:  # it may fail again at once, and each retry takes a new producer
            time.sleep(limits.COMMIT_RETRY_PAUSE)
        self._renewal.discard()
        self._context.init_checkpoint()

    def _is_carried_out(self) -> bool:
        """Whether the broker has carried out the commit that failed, so that only its answer was lost.

        The group tells, once the new producer has made the broker end the transaction. A stop starts no new producer.
        """
        return not stop_request.requested and self._batches.are_committed()

    def _read_again(self) -> None:
        self._totals.discard()
        self._batches.rewind()

    def _change(self, error: Exception, code: int | None, *, is_commit: bool) -> str:
        """Change what may avoid the error, and say what.

        Raises:
            Exception: `error` itself: nothing helps, or it has been tried for limits.NO_PROGRESS_TIMEOUT.
        """
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if code in _REFUSED_TIMESTAMP and self._sink.widen_margins():
            return "with a wider margin for refused timestamps"
        if not self._context.exactly_once or now - self._failing_since >= limits.NO_PROGRESS_TIMEOUT:
            raise error
        if isinstance(error, OutputTooSlow) or code == KafkaError._MSG_TIMED_OUT:
            self._batches.size.reduce(self._batches.attempted)
            return f"{self._batches.size.records} at a time"
        if code in _EXPIRED:
            return "with a new producer, as its transactional id has expired (transactional.id.expiration.ms)"
        if is_commit or code in _PRODUCER_FAILURES or isinstance(error, SystemError):
            return "with a new producer"
        raise error

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
