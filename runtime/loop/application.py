"""Quix's Application, taken in batches: with producer_renewal.py and sink.py, it uses Quix's private names.

tests/runtime/loop/test_private_names.py fails, and says where to look, when those names change.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import quixstreams
from confluent_kafka import KafkaException, Producer, TopicPartition
from loguru import logger
from quixstreams.context import set_message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.models import Topic
from quixstreams.runtracker import RunTracker

from runtime import limits
from runtime.connect.client_config import PRODUCER_QUEUE, consumer_config, producer_config
from runtime.connect.quix_cloud import quix_cloud
from runtime.connect.timestamp_limits import TimestampLimits
from runtime.connect.topic_ids import TopicIds
from runtime.connect.topics import open_topics
from runtime.errors import Failed, PipelineError, Unavailable
from runtime.explain import EVICTED_TEXT, explain
from runtime.loop.batches import BATCH, Batches, CurrentRecord
from runtime.loop.checkpoints import DELIVERY_FAILURES, Checkpoints
from runtime.loop.commit import CommitWatchdog, retry_while_coordinator_moves
from runtime.loop.output_record import Output
from runtime.loop.positions import Positions
from runtime.loop.producer_renewal import ProducerRenewal
from runtime.loop.sink import Sink
from runtime.observe.counters import Totals
from runtime.observe.health import Health
from runtime.observe.statistics import Progress
from runtime.settings import Settings
from runtime.stop.membership import Membership, unmask_callback_error
from runtime.stop.signals import end_by_force, stop_request


class Application(quixstreams.Application):
    """A Quix Streams Application that keeps each record's partition and loses none."""

    def __init__(self, settings: Settings) -> None:
        """Build the application; nothing is sent to the broker yet."""
        progress = Progress()
        super().__init__(
            broker_address=settings.connection(),
            quix_config_builder=quix_cloud(settings),
            quix_portal_api=settings.portal_api,
            consumer_group=settings.consumer_group,
            auto_offset_reset=settings.auto_offset_reset,
            commit_interval=settings.commit_interval,
            commit_every=settings.commit_every,
            consumer_extra_config=consumer_config(settings)
            | (progress.consumer_config if settings.health_port else {}),
            producer_extra_config=producer_config(settings),
            on_consumer_error=_never_suppress,
            on_processing_error=_never_suppress,
            on_producer_error=_never_suppress,
            loglevel=None,  # runtime.observe.logs has it all
            auto_create_topics=settings.auto_create_topics,
            use_changelog_topics=False,
            processing_guarantee=settings.processing_guarantee,
        )
        self._consumer._consumer_config["auto.offset.reset"] = "error"  # runtime/loop/positions.py decides
        self.totals = Totals()
        self.health = Health(progress.problems)
        self._settings = settings
        self._positions = Positions(self._consumer, settings.auto_offset_reset)
        self._processing_context.commit_every = 0  # Batches counts records, Quix would count partitions
        self._batches = Batches(self._consumer, self._processing_context, self._positions, settings.commit_every)
        self._renewal = ProducerRenewal(self._producer, self._config.flush_timeout, self._connect, self._mark)
        self._commit_offsets = retry_while_coordinator_moves(self._consumer.commit)
        self._consumer.commit = self._commit_marked  # type: ignore[assignment,method-assign]
        self._run_tracker = _RunTracker()
        self._membership = Membership()
        self._failure: Exception | None = None
        self._finished = False
        self._output: Output
        self._sink: Sink
        self._do_again: Callable[[Exception], None]
        self._target = ""

    def open_topics(self) -> tuple[Topic, Topic]:
        """Find or make the input and the output topic, and keep to the output's limits.

        Raises:
            PipelineError: no broker answers; a topic is missing and not to be made; the output topic is unfit.
        """
        opened = open_topics(self, self._settings)
        target = opened.target_facts
        self._target = target.name
        self._output = Output(target.name, target.max_message_bytes, TimestampLimits(target.config), self.totals)
        self._sink = Sink(target.name, self._output, self._batches)
        self._positions.topic_ids = TopicIds(opened.admin, opened.ids, lambda: str(self._positions))
        self._producer._producer._producer_config |= {
            "message.max.bytes": max(1_000, min(target.max_message_bytes, 1_000_000_000)),  # librdkafka's range
            # one record has to have room, however large it may be
            "queue.buffering.max.kbytes": max(PRODUCER_QUEUE, min(2 * target.max_message_bytes // 1024, 2_147_483_647)),
            "batch.size": min(target.max_message_bytes, 1_000_000),
            "on_delivery": self._producer._on_delivery,
            "delivery.report.only.error": True,
        }
        return opened.source, opened.target

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
        return frame

    def run(self, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:  # noqa: ANN401  (Quix's)
        """Run until asked to stop; what is in hand by then is finished and committed."""
        if not self._state_manager.stores:
            self._state_manager._state_dir = None  # a stateless application needs no folder, which may be read-only
        stop_request.on_request = self._run_tracker.stop  # Quix's `stop` takes a lock, which a second signal must not
        stop_request.enforce(self._exit_forcibly)
        try:
            with self.health.served(self._settings.health_port):
                collected: list[dict[str, Any]] = super().run(*args, **kwargs)
        except KafkaException as error:
            if self._failure is None or self._failure is error:
                raise
        else:
            return collected
        finally:
            self.totals.warn(all_of_them=True)
        raise self._failure  # the abort failed, too: that error would hide this one

    def _run_dataframe(self, sink: Any = None) -> None:  # noqa: ANN401  (Quix's)
        context = self._processing_context
        self._renewal.start()
        checkpoints = Checkpoints(context, self._renewal, self._batches, self._positions.topic_ids, self._output)
        self._do_again = checkpoints.retry
        gc.freeze()  # what has been loaded stays; a batch's records are no garbage to look for either
        gc.set_threshold(10 * BATCH)
        set_message_context(CurrentRecord(self._batches))
        try:
            with CommitWatchdog(checkpoints.end, self._refresh_metadata, self._on_commit_timeout) as watched:
                context.commit_checkpoint = watched  # type: ignore[assignment,method-assign]
                self._batches.begin()
                super()._run_dataframe(sink)
                self._finished = True
                self._membership.wait_until_joined(self._consumer.poll)
        except Exception as error:
            self._failure = self._positions.topic_ids.explain(unmask_callback_error(error, self._failure))
            stop_request.start_failure_deadline()
            if self._failure is not error:
                raise self._failure from error
            raise

    def _process_message(self, dataframe_composed: dict[str, Callable[..., None]]) -> None:
        """Handle what has arrived; Quix's loop calls this, and ends the checkpoint after it if that is due."""
        self.health.heartbeat()
        self.totals.warn()
        try:
            self._producer.poll(0)
        except DELIVERY_FAILURES as error:
            self._do_again(error)
        messages = self._batches.take()
        if not messages:
            return
        self._output.timestamps.update()
        (execute,) = dataframe_composed.values()  # there is one dataframe
        try:
            self.totals.uncommitted += self._batches.handle(messages, execute)
        except DELIVERY_FAILURES as error:
            self._do_again(error)
        self._producer._broker_available()
        self._consumer._broker_available()

    def _connect(self, producer: Producer) -> None:
        """Take a new producer."""
        self._sink.connect(self._producer, producer)

    def _mark(self, offsets: list[TopicPartition]) -> list[TopicPartition]:
        return self._positions.topic_ids.marked(offsets)

    def _commit_marked(self, offsets: list[TopicPartition], **options: Any) -> list[TopicPartition] | None:  # noqa: ANN401
        return self._commit_offsets(offsets=self._mark(offsets), **options)

    def _refresh_metadata(self) -> None:
        """Ask for the output topic's metadata, of the producer: a consumer may not be asked in its own callback.

        Raises:
            KafkaException: no broker answers.
        """
        self._sink.producer.list_topics(self._target, limits.METADATA_TIMEOUT)

    def _on_assign(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self._batches.rebalanced = True
        with self._remembering_failure():
            self._positions.assign(topic_partitions)
            super()._on_assign(consumer, topic_partitions)
        self._membership.joining = False

    def _on_revoke(self, consumer: Any, topic_partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        self._batches.rebalanced = self._membership.joining = True
        self._positions.revoke()  # what is given up now is read by another worker
        with self._remembering_failure():
            super()._on_revoke(consumer, topic_partitions)

    def _on_lost(self, _consumer: Any, _partitions: list[TopicPartition]) -> None:  # noqa: ANN401  (Quix's)
        """Stop: another worker may have these partitions by now, and the open transaction must not be committed."""
        if self._failed or self._finished:  # it stops already, for another reason or with all committed
            return
        with self._remembering_failure():
            raise self._partitions_lost_error()

    @contextmanager
    def _remembering_failure(self) -> Iterator[None]:
        """Keep what a rebalance raises: inside a poll, confluent-kafka may lose it."""
        try:
            yield
        except Exception as error:
            self._failure = error
            raise

    def _on_commit_timeout(self) -> None:
        """Stop, by force if need be: the commit in hand can't succeed any more, and may not come to an end."""
        self._failure = self._partitions_lost_error()
        stop_request.start_failure_deadline()

    def _partitions_lost_error(self) -> Exception:
        """Why this worker has no partitions any more: the group gave them away, or no broker answers any more."""
        try:
            self._refresh_metadata()  # of the producer: a consumer may not be asked in its own callback
        except KafkaException as error:
            return error
        return Failed(EVICTED_TEXT)

    def _setup_signal_handlers(self) -> None:
        """Leave the signals to runtime.stop.signals, which has listened since before the imports."""

    def _exit_forcibly(self, after: float) -> None:
        """End the process: what is not committed is done again at the next start."""
        error: PipelineError = Unavailable("asked to stop, but no broker answers")
        if self._failure is not None:
            error = explain(self._failure, self._settings.broker, cloud=self._settings.address is None)
        text = "{}; ended by force after {:.0f} s; what is not committed will be done again at the next start"
        end_by_force(error.exit_code, lambda: logger.error(text, error, after))


class _DataFrame(StreamingDataFrame):
    """A dataframe whose `to_topic` ends in the application's own sink."""

    application: Application

    def to_topic(self, topic: Any, key: Any = None) -> StreamingDataFrame:  # noqa: ANN401  (Quix's)
        if not isinstance(topic, Topic) or topic.name != self.application._target or key is not None:
            return StreamingDataFrame.to_topic(self, topic, key)
        self._stream = self._stream.add_function(self.application._sink)
        return self


class _RunTracker(RunTracker):
    """Quix's, but a request to stop that came before the start counts."""

    def set_as_running(self) -> None:
        super().set_as_running()
        if stop_request.requested:
            self.stop()


def _never_suppress(*_: object) -> bool:
    return False
