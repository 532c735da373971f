"""Takes records from the consumer and runs the dataframe on as many as one transaction may hold."""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message
from quixstreams.exceptions import QuixException
from quixstreams.internal_consumer import InternalConsumer
from quixstreams.kafka.consumer import raise_for_msg_error
from quixstreams.models.messagecontext import MessageContext
from quixstreams.processing import ProcessingContext

from runtime import limits
from runtime.errors import PipelineError, Unexpected
from runtime.explain import BAD_BATCH, bad_batch
from runtime.loop.headers import headers_of
from runtime.loop.output_record import Headers, InputRecord, place_of
from runtime.loop.positions import Positions
from runtime.loop.transaction_size import TransactionSize
from runtime.loop.waiting_records import WaitingRecords
from runtime.observe.counters import Place, Share

BATCH = 10_000
"""The most records taken at once. Fewer are taken if fewer have arrived: a batch never waits for more."""

BACKLOG_BYTES = 1_048_576
"""This many bytes at once are a backlog, as BATCH records are: large records fill librdkafka's queue earlier."""

WAITING_BYTES = 8_388_608
"""Above this many waiting bytes, only one record at a time is taken. Up to 16 MiB more wait in librdkafka."""

_CLOCK_CHECK_EVERY = 64  # records; they have at most 16 MiB, which the transforms map in less than a second
_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION}

Execute = Callable[[bytes | None, bytes | None, int, Headers | None], None]


class Batches:
    """The records of one worker, a batch at a time.

    Args:
        consumer: the source of records.
        context: holds the current checkpoint.
        positions: the offsets to read from.
        commit_every: commit after this many records, unless there is a backlog.
    """

    def __init__(
        self, consumer: InternalConsumer, context: ProcessingContext, positions: Positions, commit_every: int
    ) -> None:
        self._consumer = consumer
        self._context = context
        self._positions = positions
        self._commit_every = commit_every
        self.size = TransactionSize()
        self.are_committed = positions.are_committed
        """Whether the group has the offsets after the handled records."""
        self.handled = 0
        """Records since the last commit."""
        self.attempted = 0
        """Records since the last commit, including those of a batch that failed."""
        self.shares: dict[Place, Share] = {}
        """The records of the last batch, by partition."""
        self.bytes = 0
        """The size of their values."""
        self.is_commit_due = False
        """Whether to commit now, before COMMIT_INTERVAL ends."""
        self.revoked = False
        """Set when partitions are revoked, which only happens while records are taken."""
        self.current: InputRecord
        """The record that the dataframe processes now."""
        self.waiting = WaitingRecords()
        self._has_backlog = False
        self._last_backlog = 0.0
        self._started = 0.0
        self._must_rewind = False
        self._out_of_range: tuple[str, int] | None = None

    def begin(self) -> None:
        """Begin the next transaction, after the last one was committed."""
        self._positions.commit()
        self._reset()

    def rewind(self) -> None:
        """Begin the next transaction, after the last one was aborted: read its records again."""
        self._must_rewind = True
        self._reset()

    def _reset(self) -> None:
        if self._out_of_range:
            self._positions.out_of_range(*self._out_of_range)
        if self._must_rewind:
            self._read_again()
        self.handled, self.attempted = 0, 0
        self.is_commit_due, self._must_rewind, self._out_of_range = False, False, None
        self._started = time.monotonic()

    def take(self) -> list[Message]:
        """Take the records that have arrived, as many as the transaction may hold, or wait briefly if there are none.

        Raises:
            KafkaConsumerException: the consumer reports an error during a rebalance; it may report it only once.
            Failed: a batch cannot be decompressed.
        """
        self.revoked = False
        self._wait_for_last_transaction()
        number = 1 if self.waiting.bytes > WAITING_BYTES else BATCH  # never 0: it keeps the worker in its group
        arrived: list[Message] = self._consumer.consume(number, 0)
        if not arrived and not self.waiting:
            arrived = self._wait_for_one()
        if self.revoked and (arrived or self.waiting):
            for message in arrived:
                if (error := message.error()) is not None and error.code() not in _OUT_OF_RANGE:
                    _raise_error(message, error)
            self._read_again()  # these may be from before the revocation
            return []
        return self._select(arrived)

    def handle(self, messages: list[Message], execute: Execute) -> int:
        """Run the dataframe on a batch, store the offsets, and give the number of records handled.

        If a batch takes too long, the rest of it waits until after the commit.

        Raises:
            KafkaConsumerException: the consumer reports an error instead of a record.
            Failed: a batch cannot be decompressed.
        """
        deadline = max(self._started + self._context.commit_interval, time.monotonic() + limits.LONG_BATCH)
        headers = headers_of(messages)
        count = 0
        while count < len(messages) and not self._must_rewind:
            if count and time.monotonic() > deadline:
                self.waiting.put_back(messages[count:])
                break
            few = slice(count, count + _CLOCK_CHECK_EVERY)
            self.attempted = self.handled + count + len(messages[few])
            count += self._handle(messages[few], headers[few], execute)
        return self._finish(messages[:count])

    def _handle(self, messages: Sequence[Message], headers: Sequence[Headers | None], execute: Execute) -> int:
        """Run the dataframe on a few records. Give the number of records before an error of the consumer, if any."""
        try:
            for message, its_headers in zip(messages, headers, strict=True):
                if (error := message.error()) is not None:
                    self._on_consumer_error(message, error)
                    return messages.index(message)
                self.current = message
                execute(message.value(), message.key(), message.timestamp()[1], its_headers)
        except (QuixException, KafkaException, PipelineError, SystemError):  # SystemError: it masks one of the others
            raise
        except Exception as error:
            raise Unexpected(f"{type(error).__name__} at {place_of(self.current)}: {error}") from error
        return len(messages)

    def _select(self, arrived: list[Message]) -> list[Message]:
        """Give as many records as the transaction may still hold. The rest wait."""
        room = max(1, self.size.records - self.handled)
        self._has_backlog = len(arrived) == BATCH
        if not self.waiting and len(arrived) <= room:
            return arrived
        self.waiting.add(arrived)
        selected = self.waiting.take(room)
        self._has_backlog = bool(self.waiting)
        return selected

    def _read_again(self) -> None:
        self.waiting.clear()
        self._positions.read_again()

    def _wait_for_last_transaction(self) -> None:
        if self._context.exactly_once:
            time.sleep(max(0.0, self._started + limits.BETWEEN_TRANSACTIONS - time.monotonic()))

    def _wait_for_one(self) -> list[Message]:
        """Wait for the next record. If none arrives, the handled ones are due for commit."""
        message = self._consumer.poll(limits.COMMIT_WHEN_IDLE if self.handled else limits.IDLE_WAIT)
        if message is not None:
            return [message]
        self.is_commit_due = self.handled > 0
        return []

    def _on_consumer_error(self, message: Message, error: KafkaError) -> None:
        """Raise the consumer's error. An offset that is out of range is only noted, and resolved after the commit."""
        if error.code() not in _OUT_OF_RANGE:
            _raise_error(message, error)
        self._out_of_range = str(message.topic()), int(message.partition())
        self._must_rewind = True

    def _finish(self, messages: list[Message]) -> int:
        """Store the offsets, and decide whether to commit now. With a backlog, only time and size trigger commits."""
        self.shares, self.bytes = _shares(messages), sum(map(len, messages))
        for (topic, partition), share in self.shares.items():
            self._context.store_offset(topic, partition, share.next_offset - 1)
            self._positions.handle(topic, partition, share.next_offset)
        self.handled += len(messages)
        now = time.monotonic()
        if self._has_backlog or self.bytes >= BACKLOG_BYTES:
            self._last_backlog = now
        is_enough = now > self._last_backlog + limits.BACKLOG_PAUSE and self.handled >= self._commit_every
        self.is_commit_due = self._must_rewind or is_enough or self.handled >= self.size.records
        return len(messages)


def _shares(messages: list[Message]) -> dict[Place, Share]:
    """Give the records of each partition."""
    last = {message.partition(): message for message in messages}
    if len(last) > 1:
        first = {message.partition(): message for message in reversed(messages)}
        counts = Counter([message.partition() for message in messages])
    else:
        first, counts = dict(zip(last, messages, strict=False)), Counter(dict.fromkeys(last, len(messages)))
    return {
        (newest.topic(), partition): Share(
            counts[partition], first[partition].timestamp()[1], newest.timestamp()[1], newest.offset() + 1
        )
        for partition, newest in last.items()
    }


def _raise_error(message: Message, error: KafkaError) -> None:
    if error.code() in BAD_BATCH:
        raise bad_batch(place_of(message), error)
    raise_for_msg_error(message)


class CurrentRecord(MessageContext):
    """Quix's `message_context()` inside a batch. It is set once and always describes the current record."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    topic = property(lambda self: self._batches.current.topic())
    partition = property(lambda self: self._batches.current.partition())
    offset = property(lambda self: self._batches.current.offset())
    size = property(lambda self: len(self._batches.current))
    leader_epoch = property(lambda self: self._batches.current.leader_epoch())
