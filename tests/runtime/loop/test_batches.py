"""Batches, with a fake consumer and context. The tests with a real Kafka are in tests/parity."""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from quixstreams.kafka.exceptions import KafkaConsumerException

from runtime import limits
from runtime.connect.topic_ids import TopicIds
from runtime.errors import Failed, OutputTooSlow, Unexpected
from runtime.loop import batches as batching
from runtime.loop.batches import BATCH, Batches
from runtime.loop.positions import Positions
from runtime.loop.transaction_size import FIRST
from runtime.observe.counters import Share


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch takes too long, however busy the machine is."""
    monkeypatch.setattr(limits, "LONG_BATCH", 3600.0)


class FakeMessage:
    """A record, or an error instead of a record, as confluent-kafka gives it."""

    def __init__(self, partition: int, offset: int | None, error: int | None = None) -> None:
        self._place = (partition, offset)
        self._error = None if error is None else KafkaError(error)

    def error(self) -> KafkaError | None:
        return self._error

    def __len__(self) -> int:
        return 2

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int | None:
        return self._place[1]

    def value(self) -> bytes:
        return b"{}"

    def key(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 5

    def headers(self) -> None:
        return None


class FakeConsumer:
    """A consumer with one batch and these committed offsets."""

    def __init__(self, messages: Sequence[FakeMessage], committed: dict[int, int]) -> None:
        self.messages = list(messages)
        self.offsets = committed
        self.on_consume: Callable[[], None] = lambda: None
        self.assigned: dict[int, int] | None = None
        self.polled: list[float] = []
        self.asked: list[int] = []
        self.next: FakeMessage | None = None

    def consume(self, number: int, timeout: float) -> list[FakeMessage]:
        assert timeout == 0
        self.asked.append(number)
        self.on_consume()
        return self.messages

    def poll(self, timeout: float) -> FakeMessage | None:
        self.polled.append(timeout)
        return self.next

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        return [TopicPartition("in", place.partition, self.offsets[place.partition]) for place in partitions]

    def get_watermark_offsets(self, _place: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        return 100, 200

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = {place.partition: place.offset for place in partitions}


class FakeContext:
    """Quix's processing context."""

    commit_interval = 1.0

    def __init__(self, *, exactly_once: bool = True) -> None:
        self.exactly_once = exactly_once
        self.stored: dict[int, int] = {}

    def store_offset(self, topic: str, partition: int, offset: int) -> None:
        assert topic == "in"
        self.stored[partition] = offset


def new_batches(consumer: FakeConsumer, context: FakeContext | None = None, commit_every: int = 10) -> Batches:
    """Batches with all partitions assigned and the first transaction begun."""
    positions = Positions(cast("Any", consumer), "earliest")
    positions.topic_ids = TopicIds(cast("Any", None), {}, str)
    positions.assign([TopicPartition("in", partition) for partition in consumer.offsets])
    batches = Batches(cast("Any", consumer), cast("Any", context or FakeContext()), positions, commit_every)
    batches.begin()
    return batches


def handle(batches: Batches, messages: Sequence[FakeMessage], execute: Callable[..., None] = lambda *_: None) -> int:
    """Handle these."""
    return batches.handle(cast("Any", list(messages)), execute)


MESSAGES = [FakeMessage(0, 5), FakeMessage(1, 7), FakeMessage(0, 6)]
COMMITTED = {0: 5, 1: 7}


def records(count: int, offset: int = 0) -> list[FakeMessage]:
    """So many records of partition 0."""
    return [FakeMessage(0, offset + number) for number in range(count)]


def test_plain() -> None:
    """Without a rebalance, all arrived records are taken."""
    consumer = FakeConsumer(MESSAGES, COMMITTED)
    assert new_batches(consumer).take() == MESSAGES
    assert consumer.assigned is None
    assert consumer.asked == [BATCH]


def test_share() -> None:
    """A batch has at most as many records as a transaction may hold, in equal shares. The others follow in order."""
    several = [FakeMessage(number // FIRST, number % FIRST) for number in range(3 * FIRST)]
    consumer = FakeConsumer(several, {0: 0, 1: 0, 2: 0})
    batches = new_batches(consumer)
    taken: list[FakeMessage] = []
    while messages := cast("list[FakeMessage]", batches.take()):
        consumer.messages = []
        assert len(messages) <= FIRST
        if not taken:
            assert {message.partition() for message in messages} == {0, 1, 2}
        taken += messages
    assert sorted(taken, key=FakeMessage.partition) == several


def test_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """While many bytes wait, one record at a time is taken, so the consumer stays in its group."""
    monkeypatch.setattr(batching, "WAITING_BYTES", 3 * FIRST)
    consumer = FakeConsumer(records(3 * FIRST), {0: 0})
    batches = new_batches(consumer)
    batches.take()
    consumer.messages = []
    for _ in range(2):
        batches.take()
    assert consumer.asked == [BATCH, 1, BATCH]


def test_rebalance_while_taking() -> None:
    """Records taken during a rebalance are dropped, and read again from the committed offsets."""
    consumer = FakeConsumer(MESSAGES, {0: 3, 1: 7})
    batches = new_batches(consumer)
    consumer.on_consume = lambda: setattr(batches, "revoked", True)
    assert batches.take() == []
    assert consumer.assigned == {0: 3, 1: 7}


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (KafkaError._AUTO_OFFSET_RESET, None),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaConsumerException),
        (KafkaError._BAD_COMPRESSION, Failed),
    ],
)
def test_rebalance_while_taking_an_error(code: int, raised: type[Exception] | None) -> None:
    """An error instead of a record is not dropped with the records, unless the consumer repeats it."""
    consumer = FakeConsumer([*MESSAGES, FakeMessage(1, None, code)], COMMITTED)
    batches = new_batches(consumer)
    consumer.on_consume = lambda: setattr(batches, "revoked", True)
    if raised:
        with pytest.raises(raised):
            batches.take()
    else:
        assert batches.take() == []
        assert consumer.assigned == COMMITTED


def test_rebalance_without_records() -> None:
    """After a rebalance without records, nothing is read again."""
    consumer = FakeConsumer([], {0: 5})
    batches = new_batches(consumer)
    consumer.on_consume = lambda: setattr(batches, "revoked", True)
    assert batches.take() == []
    assert consumer.assigned is None


def test_commits_when_idle() -> None:
    """If no more records arrive, the handled ones are due for commit. Without handled ones, nothing is."""
    consumer = FakeConsumer([], COMMITTED)
    batches = new_batches(consumer)
    assert batches.take() == []
    assert not batches.is_commit_due
    handle(batches, MESSAGES)
    assert batches.take() == []
    assert consumer.polled == [limits.IDLE_WAIT, limits.COMMIT_WHEN_IDLE]
    assert batches.is_commit_due


def test_no_commit_while_records_arrive() -> None:
    """If a record arrives in time, no commit is due before COMMIT_EVERY."""
    consumer = FakeConsumer([], COMMITTED)
    batches = new_batches(consumer)
    handle(batches, MESSAGES)
    consumer.next = FakeMessage(0, 7)
    assert batches.take() == [consumer.next]
    assert not batches.is_commit_due


@pytest.mark.parametrize("exactly_once", [True, False])
def test_between_transactions(monkeypatch: pytest.MonkeyPatch, *, exactly_once: bool) -> None:
    """After a commit, no record is taken until the broker has ended the transaction, if there is one."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(limits, "BETWEEN_TRANSACTIONS", 1000 * limits.BETWEEN_TRANSACTIONS)
    new_batches(FakeConsumer(MESSAGES, COMMITTED), FakeContext(exactly_once=exactly_once)).take()
    assert (sum(slept) > 0) == exactly_once


def test_offsets_after_all() -> None:
    """Offsets are stored after the whole batch: the last one of each partition."""
    context = FakeContext()
    seen: list[Any] = []

    def execute(*record: Any) -> None:
        assert not context.stored
        seen.append(record)

    assert handle(new_batches(FakeConsumer([], COMMITTED), context), MESSAGES, execute) == 3
    assert seen == [(b"{}", None, 5, None)] * 3
    assert context.stored == {0: 6, 1: 7}


@pytest.mark.parametrize(
    ("failure", "raised", "said"),
    [
        (MemoryError("all gone"), Unexpected, r"MemoryError at in\[1\]@7: all gone"),
        (OutputTooSlow("slow"), OutputTooSlow, "^slow$"),
        (KafkaException(KafkaError(KafkaError._FENCED)), KafkaException, "FENCED"),
    ],
)
def test_failure(failure: Exception, raised: type[Exception], said: str) -> None:
    """If a record fails, no offset of the batch is stored. An unexpected error names the record."""
    context, results = FakeContext(), iter([None, failure])

    def execute(*_record: object) -> None:
        if result := next(results):
            raise result

    batches = new_batches(FakeConsumer([], COMMITTED), context)
    with pytest.raises(raised, match=said):
        handle(batches, MESSAGES, execute)
    assert not context.stored
    assert batches.attempted == len(MESSAGES)


@pytest.mark.parametrize(
    ("count", "commit_every", "is_commit_due"),
    [(1, 10, False), (9, 10, False), (10, 10, True), (FIRST - 1, 10, True), (FIRST - 1, FIRST, False)],
)
def test_group_commit(count: int, commit_every: int, *, is_commit_due: bool) -> None:
    """A checkpoint ends after COMMIT_EVERY records."""
    batches = new_batches(FakeConsumer([], COMMITTED), commit_every=commit_every)
    handle(batches, records(count))
    assert batches.is_commit_due == is_commit_due


def test_backlog() -> None:
    """With a backlog, a checkpoint ends when the transaction has as many records as it may, not after COMMIT_EVERY."""
    consumer = FakeConsumer(records(3 * FIRST), {0: 0})
    batches = new_batches(consumer)
    full: list[bool] = []
    for _ in range(2):
        messages = cast("list[FakeMessage]", batches.take())
        consumer.messages = []
        for part in (messages[:-10], messages[-10:]):
            handle(batches, part)
            full.append(batches.is_commit_due)
        batches.begin()
    assert full == [False, True] * 2


def test_large_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large records are a backlog even if there are few of them: librdkafka's queue is limited in bytes."""
    monkeypatch.setattr(batching, "BACKLOG_BYTES", sum(map(len, records(50))))
    batches, due = new_batches(FakeConsumer([], {0: 0})), []
    for count in (49, 50):
        handle(batches, records(count))
        due.append(batches.is_commit_due)
        batches.begin()
    assert due == [True, False]


@pytest.mark.parametrize(("pause", "is_commit_due"), [(1000.0, False), (0.0, True)])
def test_pause_in_backlog(monkeypatch: pytest.MonkeyPatch, pause: float, *, is_commit_due: bool) -> None:
    """A small batch soon after a large one does not end a backlog: the next records are being fetched."""
    monkeypatch.setattr(batching, "BACKLOG_BYTES", sum(map(len, records(50))))
    monkeypatch.setattr(limits, "BACKLOG_PAUSE", pause)
    batches = new_batches(FakeConsumer([], {0: 0}))
    for count in (50, 20):
        handle(batches, records(count))
    assert batches.is_commit_due == is_commit_due


def test_slow_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a batch takes too long, the rest follows after the commit."""
    monkeypatch.setattr(limits, "LONG_BATCH", 0.02)
    consumer, context = FakeConsumer([], {0: 0, 1: 7}), FakeContext()
    context.commit_interval = 0.01
    batches = new_batches(consumer, context)
    done = handle(batches, records(400), lambda *_: time.sleep(0.001))
    assert 0 < done < 400
    assert context.stored == {0: done - 1}
    batches.begin()
    assert batches.take()[0].offset() == done
    assert consumer.assigned is None


def test_rewind() -> None:
    """The records of an aborted transaction are read again."""
    consumer = FakeConsumer([], COMMITTED)
    batches = new_batches(consumer)
    handle(batches, MESSAGES)
    batches.rewind()
    assert consumer.assigned == COMMITTED


def test_out_of_range() -> None:
    """If a partition has no record at its offset, earlier ones are committed, and reading goes on at the next one."""
    consumer, context = FakeConsumer([], COMMITTED), FakeContext()
    batches = new_batches(consumer, context)
    failure = FakeMessage(1, None, KafkaError._AUTO_OFFSET_RESET)
    assert handle(batches, [MESSAGES[0], failure, MESSAGES[2]]) == 1
    assert context.stored == {0: 5}
    assert batches.is_commit_due
    batches.begin()
    assert consumer.assigned == {0: 6, 1: 100}


def test_consumer_error() -> None:
    """Another error instead of a record stops the pipeline. A batch that cannot be decompressed is named."""
    with pytest.raises(Failed, match=r"cannot decompress the batch at in\[0\]@7"):
        handle(new_batches(FakeConsumer([], COMMITTED)), [FakeMessage(0, 7, KafkaError._BAD_COMPRESSION)])
    with pytest.raises(KafkaConsumerException):
        handle(new_batches(FakeConsumer([], COMMITTED)), [FakeMessage(0, None, KafkaError.TOPIC_AUTHORIZATION_FAILED)])


@pytest.mark.parametrize(
    ("messages", "shares"),
    [
        ([], {}),
        (records(3, 10), {("in", 0): Share(3, 5, 5, 13)}),
        (MESSAGES, {("in", 0): Share(2, 5, 5, 7), ("in", 1): Share(1, 5, 5, 8)}),
    ],
)
def test_shares(messages: list[FakeMessage], shares: dict[Any, Share]) -> None:
    """A batch gives the records of each partition, where to continue, and the size of the values."""
    batches = new_batches(FakeConsumer([], COMMITTED))
    handle(batches, messages)
    assert batches.shares == shares
    assert batches.bytes == 2 * len(messages)
