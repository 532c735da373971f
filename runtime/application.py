"""Quix's Application, taken in batches: the one file that reaches into Quix's private names.

tests/runtime/test_application.py fails, and says where to look, when those names change.
"""

import time
from collections.abc import Callable
from typing import Any

import quixstreams
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from quixstreams.context import message_context, set_message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.kafka.consumer import raise_for_msg_error
from quixstreams.models import Topic
from quixstreams.models.messagecontext import MessageContext
from quixstreams.runtracker import RunTracker

from runtime.errors import Failed, Misconfigured, Stopped
from runtime.headers import headers_of
from runtime.output import Headers, InputRecord, Output
from runtime.settings import Settings
from runtime.stopping import stop_request
from runtime.topics import TopicFacts
from runtime.totals import Totals
from transforms import Malformed

BATCH = 10_000
"""The most records that are taken at once: what has arrived is taken, and nobody waits for more."""

IDLE_WAIT = 0.1
"""Seconds to wait for a record where none has arrived."""

METADATA_WAIT = 10.0
"""Seconds in which the output topic may gain a partition that the input topic has gained."""

CONSUMER = {
    "fetch.queue.backoff.ms": 5,  # librdkafka's 1000 makes a full queue stop for a second
    "queued.min.messages": 200_000,
    "queued.max.messages.kbytes": 16_384,  # bounds the memory that a backlog takes
    "session.timeout.ms": 45_000,
    "max.poll.interval.ms": 60_000,  # Quix waits as long for a flush
}
PRODUCER = {
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # murmur2 would send all null keys to one partition
    "queue.buffering.max.kbytes": 65_536,  # bounds the memory that a slow broker takes
    "transaction.timeout.ms": 30_000,  # below the session's: it ends before a dead worker's partitions move
}
_NO_HEADERS: Headers = []


class Application(quixstreams.Application):
    """A Quix Streams Application that keeps each record's partition and loses none."""

    def __init__(self, settings: Settings, *, batched: bool = True) -> None:
        """Build the application; nothing is sent to the broker yet.

        Args:
            settings: all of them.
            batched: False takes records one at a time, as Quix does, for comparison.
        """
        super().__init__(
            broker_address=settings.connection(),
            quix_sdk_token=settings.sdk_token.get_secret_value() if settings.sdk_token else None,
            consumer_group=settings.consumer_group,
            auto_offset_reset=settings.auto_offset_reset,
            commit_interval=settings.commit_interval,
            commit_every=settings.commit_every,
            consumer_extra_config=dict(CONSUMER),
            producer_extra_config=dict(PRODUCER),
            on_consumer_error=_never_suppress,
            on_processing_error=_never_suppress,
            on_producer_error=_never_suppress,
            loglevel=None,  # runtime.logs has it all
            auto_create_topics=settings.auto_create_topics,
            use_changelog_topics=False,
            processing_guarantee=settings.processing_guarantee,
        )
        self.totals = Totals()
        self._batched = batched
        self._run_tracker = _RunTracker()
        self._rebalanced = False
        self._record: InputRecord  # the one in hand
        self._produce: Callable[..., None]
        self._target: TopicFacts
        self._keeps_partitions = True

    def produce_to(self, target: TopicFacts, source: TopicFacts) -> None:
        """Keep to the output topic's limits, and to the input's partitions where there are as many."""
        self._target = target
        self._keeps_partitions = source.partitions == target.partitions
        self._producer._producer._producer_config |= {
            "message.max.bytes": max(1_000, min(target.max_message_bytes, 1_000_000_000)),  # librdkafka's range
            "batch.size": min(target.max_message_bytes, 1_000_000),
            "on_delivery": self._producer._on_delivery,
            "delivery.report.only.error": True,
        }

    def dataframe(self, topic: Topic | None = None, source: Any = None) -> StreamingDataFrame:  # noqa: ANN401  (Quix's)
        """Quix's own, of a kind whose `to_topic` keeps the partition."""
        assert topic is not None
        assert source is None
        frame_type = type("LoginDataFrame", (_DataFrame,), {"application": self})
        frame: StreamingDataFrame = frame_type(
            topic,
            topic_manager=self._topic_manager,
            processing_context=self._processing_context,
            registry=self._dataframe_registry,
        )
        self._dataframe_registry.register_root(frame)
        if not self._batched:
            frame = frame.update(self._remember)
        return frame

    def run(self, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:  # noqa: ANN401  (Quix's)
        """Run until asked to stop; what is in hand by then is finished and committed."""
        if not self._state_manager.stores:
            self._state_manager._state_dir = None  # a stateless application needs no folder, which may be read-only
        stop_request.on_request = self.stop
        try:
            collected: list[dict[str, Any]] = super().run(*args, **kwargs)
        finally:
            self.totals.warn(all_of_them=True)
        return collected

    def sink(self, topic: Topic) -> Callable[[bytes | Malformed, bytes | None, int, Headers | None], None]:
        """The end of a dataframe: produces to `topic` what the map made of the record in hand."""
        name = topic.name
        output = Output(name, self._target.max_message_bytes, self.totals)
        surely_fits = output.surely_fits

        def send(value: bytes | Malformed, key: bytes | None, timestamp: int, headers: Headers | None) -> None:
            record = self._record
            partition = record.partition() if self._keeps_partitions else -1
            produced: bytes | None
            if headers or isinstance(value, Malformed) or len(value) + (len(key) if key else 0) > surely_fits:
                produced, headers = output.produced(value, key, headers, record)
            else:
                produced, headers = value, _NO_HEADERS
            try:
                self._produce(name, produced, key, partition, None, None, timestamp, headers)
            except (BufferError, KafkaException) as error:
                self._produce_later(error, name, produced, key, partition, None, None, timestamp, headers)

        return send

    def _produce_later(self, error: Exception, name: str, *arguments: Any) -> None:  # noqa: ANN401  (a record's parts)
        """Produce again once there is room in the queue, or once the output topic has the partition."""
        unknown_partition = False
        deadline = time.monotonic() + self._config.flush_timeout
        while time.monotonic() < deadline:
            if isinstance(error, KafkaException):
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise error
                if not unknown_partition:
                    unknown_partition = True
                    deadline = time.monotonic() + METADATA_WAIT
                self._producer._producer._producer.list_topics(name, timeout=METADATA_WAIT)
            self._producer.poll(IDLE_WAIT)
            self._producer._raise_for_error()
            try:
                self._produce(name, *arguments)
            except (BufferError, KafkaException) as again:
                error = again
            else:
                return
        if unknown_partition:
            raise Misconfigured(
                f"the input topic has a partition {arguments[2]} that the output topic {name!r} lacks: give it as many"
            )
        raise Failed(f"the broker took no records for {self._config.flush_timeout:.0f} s")

    def _run_dataframe(self, sink: Any = None) -> None:  # noqa: ANN401  (Quix's)
        self._produce = self._start_producer().produce
        set_message_context(_RecordInHand(self))
        super()._run_dataframe(sink)

    def _start_producer(self) -> Producer:
        """Create the producer as Quix does, but let a signal through while a transactional one waits for its id."""
        wrapper = self._producer._producer
        producer = Producer(wrapper._producer_config)
        deadline = time.monotonic() + self._config.flush_timeout
        while wrapper.transactional:
            try:
                producer.init_transactions(1.0)
                break
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise
            if stop_request.requested:
                raise Stopped("asked to stop before the first record")
        wrapper._inner_producer = producer
        return producer

    def _process_message(self, dataframe_composed: dict[str, Callable[..., None]]) -> None:
        """Handle what has arrived; Quix's loop calls this, and decides after it whether a checkpoint is due."""
        self.totals.warn()
        if not self._batched:
            before = self._processing_context.checkpoint._total_offsets_processed
            super()._process_message(dataframe_composed)
            self.totals.records += self._processing_context.checkpoint._total_offsets_processed - before
            return
        self._producer.poll(0)
        messages = self._take()
        if messages:
            last = self._handle(messages, dataframe_composed)
            self._store_offsets(last, len(messages))
            self._producer._broker_available()
            self._consumer._broker_available()

    def _take(self) -> list[Message]:
        self._rebalanced = False
        messages: list[Message] = self._consumer.consume(BATCH, 0)
        if not messages:
            message = self._consumer.poll(IDLE_WAIT)
            messages = [] if message is None else [message]
        if messages and self._rebalanced:
            self._rewind(messages)
            return []
        return messages

    def _handle(self, messages: list[Message], composed: dict[str, Callable[..., None]]) -> dict[int, Message]:
        """Run the dataframe over a batch; give the last record of each partition."""
        execute = composed[self._dataframe_registry.consumer_topics[0].name]
        last: dict[int, Message] = {}
        for message in messages:
            if message.error() is not None:
                raise_for_msg_error(message)
            self._record = message
            execute(message.value(), message.key(), message.timestamp()[1], headers_of(message))
            last[message.partition()] = message
        return last

    def _store_offsets(self, last: dict[int, Message], count: int) -> None:
        """Store the offsets of a batch, all of which is handled; while behind, only the interval ends a checkpoint."""
        checkpoint = self._processing_context.checkpoint
        for partition, message in last.items():
            self._processing_context.store_offset(message.topic(), partition, message.offset())
        checkpoint._total_offsets_processed += count - len(last)
        checkpoint._commit_every = 0 if count == BATCH else self._config.commit_every
        self.totals.records += count

    def _rewind(self, messages: list[Message]) -> None:
        """Read on from the committed offsets: partitions moved while these records were taken, which may be old."""
        first = {message.partition(): message.offset() for message in reversed(messages)}
        committed = self._consumer.committed(self._consumer.assignment(), timeout=30)
        for partition in committed:
            if partition.offset < 0:  # none committed yet
                partition.offset = first.get(partition.partition, partition.offset)
        self._consumer.assign(committed)

    def _on_assign(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self._rebalanced = True
        super()._on_assign(consumer, topic_partitions)

    def _on_revoke(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self._rebalanced = True
        super()._on_revoke(consumer, topic_partitions)

    def _on_lost(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        """Stop: another worker may have these partitions by now, and the open transaction must not be committed."""
        del consumer, topic_partitions
        raise Failed(
            "the group gave this worker's partitions away, as it was not heard of for too long: start it again"
        )

    def _setup_signal_handlers(self) -> None:
        """Leave the signals to runtime.stopping, which has listened since before the imports."""

    def _remember(self, value: bytes | None) -> None:
        self._record = _RememberedRecord(value)


class _DataFrame(StreamingDataFrame):
    """A dataframe whose `to_topic` ends in the application's own sink."""

    application: Application

    def to_topic(self, topic: Any, key: Any = None) -> StreamingDataFrame:  # noqa: ANN401  (Quix's)
        if not isinstance(topic, Topic) or topic.name != self.application._target.name or key is not None:
            return StreamingDataFrame.to_topic(self, topic, key)
        return self._add_update(self.application.sink(topic), metadata=True)


class _RunTracker(RunTracker):
    """Quix's, but a request to stop that came before the start counts."""

    def set_as_running(self) -> None:
        super().set_as_running()
        if stop_request.requested:
            self.stop()


class _RecordInHand(MessageContext):
    """What `message_context()` gives inside a batch: it is set once, and looks at the record in hand."""

    def __init__(self, application: Application) -> None:
        self._application = application

    topic = property(lambda self: self._application._record.topic())
    partition = property(lambda self: self._application._record.partition())
    offset = property(lambda self: self._application._record.offset())
    size = property(lambda self: len(self._application._record.value() or b""))
    leader_epoch = property(lambda self: self._application._record.leader_epoch())


class _RememberedRecord:
    """The record in hand where Quix takes one at a time."""

    def __init__(self, value: bytes | None) -> None:
        context = message_context()
        self.topic = lambda: context.topic
        self.partition = lambda: context.partition
        self.offset = lambda: context.offset
        self.value = lambda: value


def _never_suppress(*_: object) -> bool:
    return False
