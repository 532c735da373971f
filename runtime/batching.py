"""Takes what has arrived, runs the dataframe over it, and stores the offsets once all of it is handled.

Beside runtime/application.py the one file that reaches into Quix's private names, under the same guard.
"""

import time
from collections.abc import Callable

from confluent_kafka import KafkaException, Message, TopicPartition
from quixstreams.context import message_context
from quixstreams.internal_consumer import InternalConsumer
from quixstreams.kafka.consumer import raise_for_msg_error
from quixstreams.models.messagecontext import MessageContext
from quixstreams.processing import ProcessingContext

from runtime.headers import headers_of
from runtime.output import Headers, InputRecord

BATCH = 10_000
"""The most records taken at once; what has arrived is taken, and nobody waits for more."""

IDLE_WAIT = 0.1
"""Seconds to wait for a record where none has arrived."""

COMMIT_WHEN_IDLE = 0.005
"""Seconds without a new record after which those that are handled are committed, however few they are.

About what a commit takes: so commits come no closer together than under load.
"""

BETWEEN_TRANSACTIONS = 0.004
"""Seconds from a commit until the next record is produced.

A broker ends a transaction a little after it has answered to the commit, and turns away what comes before that:
librdkafka then waits for 20 ms (its rdkafka_txnmgr.c, CONCURRENT_TRANSACTIONS).
"""

Execute = Callable[[bytes | None, bytes | None, int, Headers | None], None]


class Batches:
    """The records of one worker, a batch at a time."""

    def __init__(self, consumer: InternalConsumer, context: ProcessingContext) -> None:
        self._consumer = consumer
        self._context = context
        self.rebalanced = False
        """Set when partitions come or go, which only happens while records are taken."""
        self.in_hand: InputRecord
        """The record that the dataframe is being run over."""

    def take(self) -> list[Message]:
        """Take what has arrived, at most BATCH records; wait a moment for one where nothing has.

        Raises:
            KafkaConsumerException: partitions moved, and the consumer reports an error, which it may do only once.
        """
        self.rebalanced = False
        self._await_last_transaction()
        messages: list[Message] = self._consumer.consume(BATCH, 0) or self._wait_for_one()
        if messages and self.rebalanced:
            for message in messages:
                if message.error() is not None:
                    raise_for_msg_error(message)
            self._rewind(messages)
            return []
        return messages

    def handle(self, messages: list[Message], execute: Execute) -> None:
        """Run the dataframe over a batch, then store its offsets.

        Raises:
            KafkaConsumerException: the consumer reports an error in place of a record.
        """
        for message, headers in zip(messages, headers_of(messages), strict=True):
            if message.error() is not None:
                raise_for_msg_error(message)
            self.in_hand = message
            execute(message.value(), message.key(), message.timestamp()[1], headers)
        self._store_offsets(messages)

    def _await_last_transaction(self) -> None:
        if self._context.exactly_once:
            left = self._context.checkpoint._created_at + BETWEEN_TRANSACTIONS - time.monotonic()
            time.sleep(max(left, 0))

    def _wait_for_one(self) -> list[Message]:
        """The next record; where none comes, what has been handled is due to be committed."""
        checkpoint = self._context.checkpoint
        message = self._consumer.poll(IDLE_WAIT if checkpoint.empty() else COMMIT_WHEN_IDLE)
        if message is not None:
            return [message]
        checkpoint._commit_every = 1
        return []

    def _store_offsets(self, messages: list[Message]) -> None:
        checkpoint = self._context.checkpoint
        last = {message.partition(): message for message in messages}
        for partition, message in last.items():
            self._context.store_offset(message.topic(), partition, message.offset())
        checkpoint._total_offsets_processed += len(messages) - len(last)
        # While behind, nobody waits for the newest record: only the interval ends a checkpoint.
        checkpoint._commit_every = 0 if len(messages) == BATCH else self._context.commit_every

    def _rewind(self, messages: list[Message]) -> None:
        """Read on from the committed offsets: partitions moved while these records were taken, which may be old."""
        first = {message.partition(): message.offset() for message in reversed(messages)}
        positions: list[TopicPartition] = self._consumer.committed(self._consumer.assignment(), timeout=30)
        for position in positions:
            if position.error is not None:
                raise KafkaException(position.error)
            if position.offset < 0:  # nothing is committed yet
                position.offset = first.get(position.partition, position.offset)
        self._consumer.assign(positions)


class RecordInHand(MessageContext):
    """What Quix's `message_context()` gives inside a batch: set once, it looks at the record in hand."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    topic = property(lambda self: self._batches.in_hand.topic())
    partition = property(lambda self: self._batches.in_hand.partition())
    offset = property(lambda self: self._batches.in_hand.offset())
    size = property(lambda self: len(self._batches.in_hand))
    leader_epoch = property(lambda self: self._batches.in_hand.leader_epoch())


class SingleRecord:
    """The record in hand where Quix takes one at a time."""

    def __init__(self, value: bytes | None) -> None:
        context = message_context()
        self.topic = lambda: context.topic
        self.partition = lambda: context.partition
        self.offset = lambda: context.offset
        self.value = lambda: value
