"""The application: Quix's loop with batches instead of single records, and with the rules that lose no record."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from quixstreams.context import set_message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.models import Topic

from runtime import limits
from runtime.connect.causes import Causes
from runtime.connect.client_config import CLIENT_ID, consumer_config, producer_config, topic_config
from runtime.connect.coordinators import TRANSACTIONS
from runtime.connect.quix_cloud import quix_cloud
from runtime.connect.repeating_admin import RepeatingTopicManager
from runtime.connect.replacement import Replacement
from runtime.connect.topic_ids import TopicIds
from runtime.connect.topics import open_topics
from runtime.errors import Failed
from runtime.explain import EVICTED_TEXT
from runtime.loop.batches import BATCH, Batches, CurrentRecord, Execute
from runtime.loop.checkpoints import DELIVERY_FAILURES, Checkpoints
from runtime.loop.commit import CommitWatchdog, retry_while_coordinator_moves
from runtime.loop.forced_end import ForcedEnd
from runtime.loop.positions import Positions
from runtime.loop.producer_renewal import ProducerRenewal
from runtime.loop.quix import QuixApplication, QuixProducer
from runtime.loop.sink import Sink
from runtime.observe.pages import pages
from runtime.observe.status import Status
from runtime.settings import Settings
from runtime.stop.membership import Membership, unmask_callback_error
from runtime.stop.signals import stop_request


class Application(QuixApplication):
    """A Quix Streams Application that keeps each record's partition and loses none."""

    def __init__(self, settings: Settings) -> None:
        """Build the application without connecting to the broker."""
        topics = {name: getattr(settings, name) for name in ("input", "output", "dead_letter")}
        self.status = Status({**topics, "group": settings.consumer_group, "client": CLIENT_ID}, settings.effective())
        self.totals = self.status.totals
        connection = settings.connection()
        self._topics = RepeatingTopicManager(auto_create_topics=settings.auto_create_topics)
        super().__init__(
            broker_address=connection,
            quix_config_builder=quix_cloud(settings),
            quix_portal_api=settings.portal_api,
            consumer_group=settings.consumer_group,
            auto_offset_reset="error",  # runtime/loop/positions.py decides
            commit_interval=settings.commit_interval,
            commit_every=settings.commit_every,
            consumer_extra_config=consumer_config(settings) | self.status.progress.consumer_config,
            producer_extra_config=producer_config(settings) | self.status.queue.producer_config,
            on_consumer_error=_never_suppress,
            on_processing_error=_never_suppress,
            on_producer_error=_never_suppress,
            loglevel=None,  # runtime/observe/logs.py configures logging
            auto_create_topics=settings.auto_create_topics,
            topic_manager=self._topics if connection else None,
            use_changelog_topics=False,
            processing_guarantee=settings.processing_guarantee,
        )
        self._settings = settings
        context, consumer = self.context, self.context.consumer
        self._positions = positions = Positions(consumer, settings.auto_offset_reset)
        context.commit_every = 0  # Batches counts records, Quix would count partitions
        self._batches = Batches(consumer, context, self._positions, settings.commit_every)
        self.status.watch(positions.handled, self._batches.waiting.partitions, positions.expired)
        self._commit_offsets = retry_while_coordinator_moves(consumer.commit)
        consumer.commit = self._commit_marked  # type: ignore[assignment,method-assign]
        self._membership = Membership()
        self._failure: Exception | None = None
        self._leaving = False
        self._retry: Callable[[Exception], None]

    def open_topics(self) -> tuple[Topic, Topic]:
        """Find or create the input and the output topic, and apply the output topic's limits.

        Raises:
            PipelineError: no broker answers; a topic is missing or unsuitable.
        """
        opened, positions = open_topics(self, self._settings, self._topics), self._positions
        self._sink = Sink(opened.target_facts, self._batches, self.totals, opened.dead_letter_facts)
        me = (self.config.consumer_group, opened.source.name, self._settings.instance_id)
        self._replacement = Replacement(opened.broker, *me, positions.committed)
        positions.topic_ids = TopicIds(opened.broker.admin, opened.ids, positions.__str__, self._replacement.mark)
        self._causes = Causes(opened.broker, *(facts.name for facts in opened.written), replacement=self._replacement)
        self._forced_end = ForcedEnd(opened.broker, self._causes, lambda: self._failure, lambda: self._leaving)
        quix = QuixProducer(self.context.producer)
        config = quix.config | topic_config(opened.written)
        mark, is_replaced = positions.topic_ids.marked, self._replacement.has_joined
        self._renewal = ProducerRenewal(quix, config, self._sink, mark, is_replaced)
        return opened.source, opened.target

    def to_topic(self, frame: StreamingDataFrame, topic: Topic) -> None:
        """Produce the dataframe's records to the output topic, each to its own partition. Quix would use the key's."""
        assert topic.name == self._sink.topic, "the output topic is the one that open_topics gave"
        frame.stream.add_function(self._sink)

    def run(self, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:  # noqa: ANN401  (Quix's)
        """Run until asked to stop. Records that were consumed by then are finished and committed."""
        state = self.context.state_manager
        if not state.stores:
            # Quix would create a folder for the state, but the file system may be read-only.
            state.init = lambda: None  # type: ignore[method-assign]
        self._forced_end.enforce()
        try:
            with self.status.health.served(*self._settings.http, partial(pages, self.status)):
                collected: list[dict[str, Any]] = super().run(*args, **kwargs)
        except KafkaException as error:
            if self._failure is None or self._failure is error:
                raise
        else:
            return collected
        finally:
            self.totals.warn(all_of_them=True)
        raise self._failure  # the abort also failed; its error would hide this one

    def run_loop(self, proceed: Callable[[], None]) -> None:
        """Run Quix's loop from the start of the producer to the last commit."""
        context = self.context
        with self._causes.explained(TRANSACTIONS):
            self._renewal.start()
        checkpoints = Checkpoints(context, self._renewal, self._batches, self._positions.topic_ids, self._sink)
        self._retry = checkpoints.retry
        gc.freeze()  # loaded modules stay in memory, and so do a batch's records until it ends
        gc.set_threshold(10 * BATCH)
        set_message_context(CurrentRecord(self._batches))
        try:
            with CommitWatchdog(checkpoints.end, self._refresh_metadata, self._on_commit_timeout) as watched:
                context.commit_checkpoint = watched  # type: ignore[assignment,method-assign]
                self._batches.begin()
                try:
                    proceed()
                finally:
                    self._leaving = True
                self._membership.wait_until_joined(context.consumer.poll)
        except Exception as error:
            failure = self._positions.topic_ids.explain(unmask_callback_error(error, self._failure))
            self._failure = self._causes.explain(failure)
            stop_request.start_failure_deadline()
            if self._failure is not error:
                raise self._failure from error
            raise

    def iterate(self, execute: Execute) -> None:
        """Handle one batch. Quix's loop calls this, and then commits if that is due."""
        self.status.iterate()
        try:
            self.context.producer.poll(0)
        except DELIVERY_FAILURES as error:
            self._retry(error)
        if stop_request.requested:
            self.stop()  # not in the signal handler: it takes a lock
            return
        if self._membership.is_late():
            self._causes.check_join()
        messages = self._batches.take()
        if not messages:
            return
        self._sink.update_timestamps()
        try:
            self._batches.handle(messages, execute)
        except DELIVERY_FAILURES as error:
            self._retry(error)
        else:
            self.status.handle(self._batches.shares, self._batches.bytes)
        self.note_broker_available()

    def _commit_marked(self, offsets: list[TopicPartition], **options: Any) -> list[TopicPartition] | None:  # noqa: ANN401
        return self._commit_offsets(offsets=self._positions.topic_ids.marked(offsets), **options)

    def _refresh_metadata(self) -> None:
        """Request the output topic's metadata with the producer: a consumer must not be used in its own callback.

        Raises:
            KafkaException: no broker answers.
        """
        self._sink.producer.list_topics(self._sink.topic, limits.METADATA_TIMEOUT)

    def assign(self, partitions: list[TopicPartition], proceed: Callable[[], None]) -> None:
        """Start to read the assigned partitions at their offsets."""
        self.totals.rebalances += 1
        with self._remembering_failure():
            self._positions.assign(partitions)
            proceed()
        self._membership.joining = False
        self._replacement.member_id = self.context.consumer.memberid()

    def revoke(self, proceed: Callable[[], None]) -> None:
        """Commit, then give all partitions back."""
        self._batches.revoked = self._membership.joining = True
        self._positions.revoke()  # another worker reads them from now on
        with self._remembering_failure():
            proceed()

    def lose(self) -> None:
        """Stop: other workers may have the partitions already, so the open transaction must not be committed."""
        if self._leaving:  # it stops already, after another error or with everything committed
            return
        with self._remembering_failure():
            raise self._partitions_lost_error()

    @contextmanager
    def _remembering_failure(self) -> Iterator[None]:
        """Store an error of a rebalance callback: confluent-kafka may lose it."""
        try:
            yield
        except Exception as error:
            self._failure = error
            raise

    def _on_commit_timeout(self) -> None:
        """Stop, forcibly if necessary: the current commit cannot succeed any more, and may never return."""
        self._failure = self._partitions_lost_error()
        stop_request.start_failure_deadline()
        self._failure = self._causes.explain(self._failure)
        with suppress(KafkaException):  # no broker answers
            self._failure = self._causes.find() or self._failure

    def _partitions_lost_error(self) -> Exception:
        """Return why the partitions were lost: the group removed this worker, or no broker answers."""
        try:
            self._refresh_metadata()
        except KafkaException as error:
            return error
        return Failed(EVICTED_TEXT)


def _never_suppress(*_: object) -> bool:
    return False
