"""All uses of private names of quixstreams. No other file uses one, except a benchmark that runs Quix's own loop.

    Application._run_dataframe          overridden: runs code before and after the loop, while the consumer is open
    Application._process_message        overridden: handles a batch, not one record
    Application._on_assign              overridden: sets the start offsets; keeps an error that the client may lose
    Application._on_revoke              overridden: drops what was consumed; keeps an error that the client may lose
    Application._on_lost                overridden: stops; Quix would continue with the open transaction
    Application._setup_signal_handlers  overridden: runtime/stop/signals.py handles signals; Quix loses an early one
    Application._processing_context     read: gives access to consumer, producer and checkpoint
    InternalProducer._broker_available  called after each batch, as Quix's `_process_message` does
    InternalConsumer._broker_available  the same
    InternalProducer._producer          read: the object with `_producer_config` and `_inner_producer`
    InternalProducer._on_delivery       used as delivery callback: stores the first error, which `flush` raises
    InternalProducer._raise_for_error   called: raises that error immediately
    Producer._producer_config           read: contains Quix's callbacks for errors and statistics
    Producer._inner_producer            set: to start a producer without blocking signals, and to replace it

tests/runtime/loop/test_private_names.py fails if quixstreams changes what these do, and says what to check.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import quixstreams
from confluent_kafka import Producer, TopicPartition
from quixstreams.core.stream import VoidExecutor
from quixstreams.core.stream.functions import ApplyFunction
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.internal_producer import InternalProducer
from quixstreams.models import Topic
from quixstreams.processing import ProcessingContext
from quixstreams.sources import BaseSource

from runtime.loop.batches import Execute


class QuixApplication(quixstreams.Application):
    """Quix's application with its private hooks as public methods. `proceed` runs Quix's own method."""

    def dataframe(self, topic: Topic | None = None, source: BaseSource | None = None) -> StreamingDataFrame:
        """Create a dataframe without Quix's first step, which gives each value back and takes 0.13 us per record."""
        frame = super().dataframe(topic, source)
        frame.stream.func = _FirstStep(lambda value: value)
        return frame

    @property
    def context(self) -> ProcessingContext:
        """The consumer, the producer and the current checkpoint."""
        return self._processing_context

    def run_loop(self, proceed: Callable[[], None]) -> None:
        """Run the loop. The consumer is closed afterwards."""
        raise NotImplementedError

    def iterate(self, execute: Execute) -> None:
        """Run one iteration: call `execute` for each record that has arrived. Quix then commits if that is due."""
        raise NotImplementedError

    def assign(self, partitions: list[TopicPartition], proceed: Callable[[], None]) -> None:
        """Handle the assignment of partitions."""
        raise NotImplementedError

    def revoke(self, proceed: Callable[[], None]) -> None:
        """Handle the revocation of all partitions."""
        raise NotImplementedError

    def lose(self) -> None:
        """Handle the loss of all partitions."""
        raise NotImplementedError

    def note_broker_available(self) -> None:
        """Reset Quix's time limit for unavailable brokers."""
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


class _FirstStep(ApplyFunction):
    """Gives each value back, or, if one step follows, is left out."""

    def get_executor(self, *child_executors: VoidExecutor) -> VoidExecutor:
        """Return the function that runs this step and the following ones."""
        (child, *others) = child_executors
        return super().get_executor(*child_executors) if others else child


class QuixProducer:
    """Quix's producer, and the producer of confluent-kafka inside it."""

    def __init__(self, internal: InternalProducer) -> None:
        self.internal = internal

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that Quix would use for confluent-kafka's producer, and its delivery callback."""
        config: dict[str, Any] = self.internal._producer._producer_config
        return {**config, "on_delivery": self.internal._on_delivery}

    @property
    def transactional(self) -> bool:
        """Whether it uses transactions."""
        return self.internal._producer.transactional

    def replace(self, producer: Producer) -> list[Producer | None]:
        """Use another producer of confluent-kafka. Return the previous one, as a list with the only reference to it."""
        last = [self.internal._producer._inner_producer]
        self.internal._producer._inner_producer = producer
        return last

    def raise_for_error(self) -> None:
        """Raise the first delivery error since the last call, if there is one.

        Raises:
            KafkaProducerDeliveryError: a record was not delivered.
        """
        self.internal._raise_for_error()
