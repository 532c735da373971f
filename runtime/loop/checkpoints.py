"""Ends each checkpoint: waits for delivery, checks that the topics are the same, commits, or does it again."""

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
from runtime.loop.output_record import Output
from runtime.loop.producer_renewal import ProducerRenewal

_REFUSED_TIMESTAMP = {KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD}
_OF_THIS_PRODUCER = {
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,  # a late Produce of an earlier transaction has come between
    KafkaError._FATAL,  # the cause was reported before, with the first error
    KafkaError.UNKNOWN_PRODUCER_ID,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.INVALID_TXN_STATE,
}
DELIVERY_FAILURES = (KafkaProducerDeliveryError, KafkaException, OutputTooSlow, SystemError)
"""What is raised if a record is not delivered. confluent-kafka may raise SystemError in place of a fatal error."""


class Checkpoints:
    """What Quix's `commit_checkpoint` does, with the rules that it lacks.

    Args:
        context: has the present checkpoint.
        renewal: of its producer.
        batches: the records.
        topic_ids: of input and output.
        output: knows which timestamps the output topic takes, and the totals.
    """

    def __init__(
        self,
        context: ProcessingContext,
        renewal: ProducerRenewal,
        batches: Batches,
        topic_ids: TopicIds,
        output: Output,
    ) -> None:
        self._context = context
        self._commit: Callable[..., None] = context.commit_checkpoint
        self._renewal = renewal
        self._batches = batches
        self._topic_ids = topic_ids
        self._output = output
        self._totals = output.totals
        self._last_commit = time.monotonic()

    def end(self, *, force: bool = False, revoking: bool = False) -> None:
        """End the checkpoint if it is due, and begin the next one.

        Args:
            force: whether it is due in any case.
            revoking: whether its partitions are about to go to another worker.

        Raises:
            Misconfigured: a topic was deleted, or deleted and created again.
            OutputTooSlow: the broker has taken no transaction for limits.NO_PROGRESS_TIMEOUT.
        """
        checkpoint = self._context.checkpoint
        if not (force or self._batches.is_full or checkpoint.expired()):
            return
        if checkpoint.empty():
            self._topic_ids.check_now_and_then()
            self._commit(force=True, revoking=revoking)
            self._last_commit = time.monotonic()
            self._batches.begin()
            return
        try:
            self._deliver()
        except DELIVERY_FAILURES as error:
            self.do_again(error)
            return
        self._topic_ids.check()
        self._commit(force=True, revoking=revoking)
        self._totals.commit()
        self._last_commit = time.monotonic()
        self._batches.begin()

    def do_again(self, error: Exception) -> None:
        """Give up what is not committed, and take it again in such a way that the output takes it.

        Args:
            error: one of DELIVERY_FAILURES, raised before anything was committed.

        Raises:
            Misconfigured: it failed because a topic was deleted.
            Exception: the given one: there is no such way, or there has been no commit for limits.NO_PROGRESS_TIMEOUT.
        """
        with suppress(KafkaException):  # the brokers may be away
            self._topic_ids.check_now()
        reason = _reason(error)
        code = reason.code() if reason else None
        handled = self._batches.attempted
        if code in _REFUSED_TIMESTAMP and self._output.timestamps.widen_margin():
            now = "with the tag refused_timestamp on more of those that are close to the output topic's limit"
        elif not self._context.exactly_once or time.monotonic() - self._last_commit > limits.NO_PROGRESS_TIMEOUT:
            raise error
        elif isinstance(error, OutputTooSlow) or code == KafkaError._MSG_TIMED_OUT:
            self._batches.size.reduce(handled)
            now = f"{self._batches.size.records} at a time"
        elif code in _OF_THIS_PRODUCER or isinstance(error, SystemError):
            now = "with a new producer"
        else:
            raise error
        logger.warning("{}: doing the last {} records again, {}", reason.str() if reason else error, handled, now)
        self._renewal.discard()
        self._totals.discard()
        self._context.init_checkpoint()
        self._batches.begin(again=True)

    def _deliver(self) -> None:
        """Ask for the topics' ids, and wait until the broker has all records.

        Raises:
            OutputTooSlow: it has not in time.
        """
        self._topic_ids.ask()
        begun = time.monotonic()
        unsent = self._context.producer.flush(limits.FLUSH_TIMEOUT if self._context.exactly_once else None)
        if unsent:
            raise OutputTooSlow(f"the broker did not take {unsent} records within {time.monotonic() - begun:.0f} s")
        self._batches.size.note(self._batches.handled, time.monotonic() - begun)


def _reason(error: BaseException | None) -> KafkaError | None:
    """The Kafka error that was raised, or that is behind what was raised."""
    while error is not None:
        if found := kafka_error(error):
            return found
        error = error.__cause__
    return None
