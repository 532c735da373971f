"""Ends each checkpoint: waits for delivery, checks that the topics are the same, commits, or does it again."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaError
from loguru import logger
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError
from quixstreams.processing import ProcessingContext

from runtime.batching import Batches
from runtime.clients import FLUSH_WITHIN
from runtime.errors import OutputTooSlow
from runtime.output import Output
from runtime.producer_renewal import ProducerRenewal
from runtime.topic_ids import TopicIds

NO_PROGRESS_WITHIN = 60.0
"""Seconds without a commit after which a transaction that the broker takes too slowly is not tried again."""

_REFUSED_TIMESTAMP = {KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD}


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
            OutputTooSlow: the broker has taken no transaction for NO_PROGRESS_WITHIN.
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
        except (KafkaProducerDeliveryError, OutputTooSlow) as error:
            self.do_again(error)
            return
        self._topic_ids.check()
        self._commit(force=True, revoking=revoking)
        self._totals.commit()
        self._last_commit = time.monotonic()
        self._batches.begin()

    def do_again(self, error: KafkaProducerDeliveryError | OutputTooSlow) -> None:
        """Give up what is not committed, and take it again in such a way that the output takes it.

        Raises:
            Misconfigured: it failed because a topic was deleted.
            KafkaProducerDeliveryError: there is no such way.
            OutputTooSlow: there has been none for NO_PROGRESS_WITHIN, or it would write records twice.
        """
        self._topic_ids.check_now()
        handled = max(1, self._totals.uncommitted)
        if isinstance(error, OutputTooSlow) or error.code == KafkaError._MSG_TIMED_OUT:
            if not self._context.exactly_once or time.monotonic() - self._last_commit > NO_PROGRESS_WITHIN:
                raise error
            self._batches.size.reduce(handled)
            now = f"{self._batches.size.records} at a time"
        else:
            if error.code not in _REFUSED_TIMESTAMP or not self._output.timestamps.widen_margin():
                raise error
            now = "with the tag refused_timestamp on those whose timestamp is close to the output topic's limit"
        logger.warning("{}: doing the last {} records again, {}", error, handled, now)
        self._renewal.discard()
        self._totals.discard()
        self._context.init_checkpoint()  # type: ignore[no-untyped-call]
        self._batches.begin(again=True)

    def _deliver(self) -> None:
        """Ask for the topics' ids, and wait until the broker has all records.

        Raises:
            OutputTooSlow: it has not in time.
        """
        self._topic_ids.ask()
        begun = time.monotonic()
        unsent = self._context.producer.flush(FLUSH_WITHIN if self._context.exactly_once else None)
        if unsent:
            raise OutputTooSlow(f"the broker did not take {unsent} records within {time.monotonic() - begun:.0f} s")
        self._batches.size.note(self._batches.handled, time.monotonic() - begun)
