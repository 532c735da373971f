"""Takes what has arrived, and runs the dataframe over as much of it as one transaction may hold."""

import time
from collections.abc import Callable, Sequence
from itertools import islice

from confluent_kafka import KafkaError, KafkaException, Message
from quixstreams.exceptions import QuixException
from quixstreams.internal_consumer import InternalConsumer
from quixstreams.kafka.consumer import raise_for_msg_error
from quixstreams.models.messagecontext import MessageContext
from quixstreams.processing import ProcessingContext

from runtime import limits
from runtime.errors import PipelineError, Unexpected
from runtime.explain import bad_batch
from runtime.loop.headers import headers_of
from runtime.loop.output_record import Headers, InputRecord, place_of
from runtime.loop.positions import Positions
from runtime.loop.transaction_size import TransactionSize
from runtime.loop.waiting_records import WaitingRecords

BATCH = 10_000
"""The most records taken at once; what has arrived is taken, without waiting for more."""

WAITING_BYTES = 8_388_608
"""Bytes that may wait here before no more than one record at a time is taken; up to 16 MiB wait in librdkafka."""

_LOOK_EVERY = 16  # records between two looks at the clock
_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}

Execute = Callable[[bytes | None, bytes | None, int, Headers | None], None]


class Batches:
    """The records of one worker, a batch at a time.

    Args:
        consumer: gives the records.
        context: has the present checkpoint.
        positions: where records are read from.
        commit_every: records after which to commit, unless more wait.
    """

    def __init__(
        self, consumer: InternalConsumer, context: ProcessingContext, positions: Positions, commit_every: int
    ) -> None:
        self._consumer = consumer
        self._context = context
        self._positions = positions
        self._commit_every = commit_every
        self.size = TransactionSize()
        self.handled = 0
        """Records since the last commit."""
        self.attempted = 0
        """The same, with those of a batch that was not handled to its end."""
        self.is_full = False
        """Whether to commit now rather than when COMMIT_INTERVAL is over."""
        self.rebalanced = False
        """Set when partitions come or go, which only happens while records are taken."""
        self.current: InputRecord
        """The record that the dataframe is being run over."""
        self._waiting = WaitingRecords()
        self._is_behind = False
        self._begun = 0.0
        self._must_read_again = False
        self._out_of_range: tuple[str, int] | None = None

    def begin(self, *, again: bool = False) -> None:
        """Note that the last transaction is committed, or with `again` given up, and that the next one begins."""
        if not again:
            self._positions.commit()
        if self._out_of_range:
            self._positions.out_of_range(*self._out_of_range)
        if self._must_read_again or again:
            self._read_again()
        self.handled, self.attempted = 0, 0
        self.is_full, self._must_read_again, self._out_of_range = False, False, None
        self._begun = time.monotonic()

    def take(self) -> list[Message]:
        """Take what has arrived, as much as the transaction may still hold; wait a moment for a record if none has.

        Raises:
            KafkaConsumerException: partitions moved, and the consumer reports an error, which it may do only once.
        """
        self.rebalanced = False
        self._await_last_transaction()
        has_enough = self._waiting.bytes > WAITING_BYTES
        fresh: list[Message] = self._consumer.consume(1 if has_enough else BATCH, 0)  # in any case: to stay a member
        if not fresh and not self._waiting:
            fresh = self._wait_for_one()
        if self.rebalanced and (fresh or self._waiting):
            for message in fresh:
                if (error := message.error()) is not None and error.code() not in _OUT_OF_RANGE:
                    raise_for_msg_error(message)
            self._read_again()  # these may be of before
            return []
        return self._share(fresh)

    def handle(self, messages: list[Message], execute: Execute) -> int:
        """Run the dataframe over a batch, store the offsets, and give the number of records that it got done.

        What is left of a batch that takes too long waits until after the commit.

        Raises:
            KafkaConsumerException: the consumer reports an error in place of a record.
        """
        until = max(self._begun + self._context.commit_interval, time.monotonic() + limits.LONG_BATCH)
        records = zip(messages, headers_of(messages), strict=True)
        count = 0
        while not self._must_read_again and (chunk := list(islice(records, _LOOK_EVERY))):
            self.attempted = self.handled + count + len(chunk)
            count += self._handle(chunk, execute)
            if count < len(messages) and time.monotonic() > until:
                self._waiting.put_back(messages[count:])
                break
        return self._end(messages[:count])

    def _handle(self, chunk: Sequence[tuple[Message, Headers | None]], execute: Execute) -> int:
        """Run the dataframe over a few records; the number of those before an error in the place of a record."""
        try:
            for count, (message, headers) in enumerate(chunk):
                if (error := message.error()) is not None:
                    self._take_error(message, error)
                    return count
                self.current = message
                execute(message.value(), message.key(), message.timestamp()[1], headers)
        except (QuixException, KafkaException, PipelineError, SystemError):  # a SystemError hides one of the others
            raise
        except Exception as error:
            raise Unexpected(f"{type(error).__name__} at {place_of(self.current)}: {error}") from error
        return len(chunk)

    def _share(self, fresh: list[Message]) -> list[Message]:
        """Give as many records as the transaction may still hold; the others wait."""
        room = max(1, self.size.records - self.handled)
        self._is_behind = len(fresh) == BATCH
        if not self._waiting and len(fresh) <= room:
            return fresh
        self._waiting.add(fresh)
        shared = self._waiting.take(room)
        self._is_behind = bool(self._waiting)
        return shared

    def _read_again(self) -> None:
        self._waiting.clear()
        self._positions.read_again()

    def _await_last_transaction(self) -> None:
        if self._context.exactly_once:
            time.sleep(max(0.0, self._begun + limits.BETWEEN_TRANSACTIONS - time.monotonic()))

    def _wait_for_one(self) -> list[Message]:
        """The next record; if none comes, what has been handled is due to be committed."""
        message = self._consumer.poll(limits.COMMIT_WHEN_IDLE if self.handled else limits.IDLE_WAIT)
        if message is not None:
            return [message]
        self.is_full = self.handled > 0
        return []

    def _take_error(self, message: Message, error: KafkaError) -> None:
        """Remember a partition that has no record at its offset: where to read on is decided after the commit."""
        if error.code() == KafkaError._BAD_COMPRESSION:
            raise bad_batch(place_of(message), error)
        if error.code() not in _OUT_OF_RANGE:
            raise_for_msg_error(message)
        self._out_of_range = str(message.topic()), int(message.partition())
        self._must_read_again = True

    def _end(self, messages: list[Message]) -> int:
        """Store the offsets, and say whether to commit now; with a backlog, only time and size ask for it."""
        for partition, message in {message.partition(): message for message in messages}.items():
            self._context.store_offset(message.topic(), partition, message.offset())
            self._positions.handle(message.topic(), partition, message.offset() + 1)
        self.handled += len(messages)
        is_enough = not self._is_behind and self.handled >= self._commit_every
        self.is_full = self._must_read_again or is_enough or self.handled >= self.size.records
        return len(messages)


class CurrentRecord(MessageContext):
    """What Quix's `message_context()` gives inside a batch: set once, it looks at the record in hand."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    topic = property(lambda self: self._batches.current.topic())
    partition = property(lambda self: self._batches.current.partition())
    offset = property(lambda self: self._batches.current.offset())
    size = property(lambda self: len(self._batches.current))
    leader_epoch = property(lambda self: self._batches.current.leader_epoch())
