"""Everything private of quixstreams that the pipeline uses, listed here; no other file of runtime/ reaches into Quix.

    Application._run_dataframe          overridden: our start and end of the loop lie between subscribing and closing
    Application._process_message        overridden: takes a batch, not one record
    Application._on_assign              overridden: decides where to read on, and keeps what is raised
    Application._on_revoke              overridden: what has been taken is another worker's, and keeps what is raised
    Application._on_lost                overridden: stops; Quix would go on with the open transaction
    Application._setup_signal_handlers  overridden: runtime.stop.signals listens already; Quix forgets an early signal
    Application._processing_context     read: leads to consumer, producer and checkpoint
    InternalProducer._broker_available  called after a batch, as Quix's `_process_message` does
    InternalConsumer._broker_available  the same
    InternalProducer._producer          read: the wrapper that holds the two below
    InternalProducer._on_delivery       every record's delivery callback: keeps the first error for `flush` to raise
    InternalProducer._raise_for_error   called: raises that error at once
    Producer._producer_config           read: has Quix's callbacks for errors and statistics in it
    Producer._inner_producer            set: a producer that was waited for without blocking signals, or a new one

tests/runtime/loop/test_private_names.py fails, and says where to look, if quixstreams changes one of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import quixstreams
from confluent_kafka import Producer, TopicPartition
from quixstreams.internal_producer import InternalProducer
from quixstreams.processing import ProcessingContext

from runtime.loop.batches import Execute


class QuixApplication(quixstreams.Application):
    """Quix's application, with its private hooks as public methods; `proceed` is what Quix itself does there."""

    @property
    def context(self) -> ProcessingContext:
        """The consumer, the producer and the present checkpoint."""
        return self._processing_context

    def run_loop(self, proceed: Callable[[], None]) -> None:
        """Run the loop; the consumer is closed after it."""
        raise NotImplementedError

    def iterate(self, execute: Execute) -> None:
        """Handle what has arrived, with `execute` for each record; Quix then ends the checkpoint if it is due."""
        raise NotImplementedError

    def assign(self, partitions: list[TopicPartition], proceed: Callable[[], None]) -> None:
        """Take partitions over."""
        raise NotImplementedError

    def revoke(self, proceed: Callable[[], None]) -> None:
        """Give all partitions back."""
        raise NotImplementedError

    def lose(self) -> None:
        """Take note that all partitions have gone to other workers."""
        raise NotImplementedError

    def note_broker_available(self) -> None:
        """Tell Quix that a broker answered."""
        self.context.producer._broker_available()
        self.context.consumer._broker_available()

    def _run_dataframe(self, sink: Any = None) -> None:  # noqa: ANN401  (Quix's)
        self.run_loop(partial(super()._run_dataframe, sink))

    def _process_message(self, dataframe_composed: dict[str, Execute]) -> None:
        (execute,) = dataframe_composed.values()  # there is one dataframe
        self.iterate(execute)

    def _on_assign(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self.assign(topic_partitions, partial(super()._on_assign, consumer, topic_partitions))

    def _on_revoke(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self.revoke(partial(super()._on_revoke, consumer, topic_partitions))

    def _on_lost(self, _consumer: Any, _topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self.lose()

    def _setup_signal_handlers(self) -> None:
        pass


class QuixProducer:
    """Quix's producer, which makes confluent-kafka's itself when it first needs it, unless it is given one."""

    def __init__(self, internal: InternalProducer) -> None:
        self.internal = internal

    @property
    def config(self) -> dict[str, Any]:
        """What Quix would make confluent-kafka's producer with, and its delivery callback."""
        config: dict[str, Any] = self.internal._producer._producer_config
        return {**config, "on_delivery": self.internal._on_delivery}

    @property
    def transactional(self) -> bool:
        """Whether it produces in transactions."""
        return self.internal._producer.transactional

    def replace(self, producer: Producer) -> list[Producer | None]:
        """Use this one from now on; the list holds the only reference to the one before."""
        last = [self.internal._producer._inner_producer]
        self.internal._producer._inner_producer = producer
        return last

    def raise_for_error(self) -> None:
        """Raise the first failed delivery since the last call, if any.

        Raises:
            KafkaProducerDeliveryError: a record was not delivered.
        """
        self.internal._raise_for_error()
