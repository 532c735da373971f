"""Taking batches, with stand-ins for Quix's consumer and context; tests/parity has the same on a real Kafka."""

import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition
from quixstreams.kafka.exceptions import KafkaConsumerException

from runtime.batching import BATCH, BETWEEN_TRANSACTIONS, COMMIT_WHEN_IDLE, IDLE_WAIT, Batches


class FakeMessage:
    """A record as confluent-kafka gives it."""

    def __init__(self, partition: int, offset: int) -> None:
        self.place = (partition, offset)

    def error(self) -> KafkaError | None:
        return None

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int | None:
        return self.place[1]

    def value(self) -> bytes:
        return b"{}"

    def key(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 5

    def headers(self) -> None:
        return None


class FakeFailure(FakeMessage):
    """An error in the place of a record."""

    def error(self) -> KafkaError:
        return KafkaError(KafkaError._AUTO_OFFSET_RESET)

    def offset(self) -> None:
        return None


class FakeConsumer:
    """Gives one batch; partitions may move while it is taken."""

    def __init__(self, messages: list[FakeMessage], committed: dict[int, int]) -> None:
        self.messages = messages
        self.offsets = committed
        self.on_consume: Callable[[], None] = lambda: None
        self.assigned: dict[int, int] | None = None
        self.polled: list[float] = []
        self.next: FakeMessage | None = None

    def consume(self, number: int, timeout: float) -> list[FakeMessage]:
        assert (number, timeout) == (BATCH, 0)
        self.on_consume()
        return self.messages

    def poll(self, timeout: float) -> FakeMessage | None:
        self.polled.append(timeout)
        return self.next

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("in", partition) for partition in self.offsets]

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        return [TopicPartition("in", place.partition, self.offsets[place.partition]) for place in partitions]

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = {place.partition: place.offset for place in partitions}


class FakeCheckpoint:
    """Quix's count of a checkpoint's records, and after how many it ends."""

    _total_offsets_processed = 0
    _commit_every = 10
    _created_at = 0.0

    def empty(self) -> bool:
        return not self._total_offsets_processed


class FakeContext:
    """Quix's processing context."""

    commit_every = 10
    exactly_once = True

    def __init__(self) -> None:
        self.checkpoint = FakeCheckpoint()
        self.stored: dict[int, int] = {}

    def store_offset(self, topic: str, partition: int, offset: int) -> None:
        assert topic == "in"
        self.stored[partition] = offset
        self.checkpoint._total_offsets_processed += 1


def batches(consumer: FakeConsumer, context: FakeContext | None = None) -> Batches:
    """What is tested."""
    return Batches(cast("Any", consumer), cast("Any", context or FakeContext()))


MESSAGES = [FakeMessage(0, 5), FakeMessage(1, 7), FakeMessage(0, 6)]
NONE = -1001  # what librdkafka gives for a partition without a committed offset


def test_plain() -> None:
    """What has arrived is taken as it is while partitions stay."""
    consumer = FakeConsumer(MESSAGES, {0: 5, 1: 7})
    assert batches(consumer).take() == MESSAGES
    assert consumer.assigned is None


@pytest.mark.parametrize(
    ("committed", "assigned"),
    [
        ({0: 5, 1: 7}, {0: 5, 1: 7}),
        ({0: 3, 1: 7}, {0: 3, 1: 7}),  # older than what was taken: that is read again, and nothing is skipped
        ({0: NONE, 1: 7}, {0: 5, 1: 7}),  # nothing is committed yet: from the first that was taken
        ({1: 7}, {1: 7}),  # partition 0 has gone to another worker
        ({1: 7, 2: NONE}, {1: 7, 2: NONE}),
    ],
)
def test_rebalance_while_taking(committed: dict[int, int], assigned: dict[int, int]) -> None:
    """Where partitions move while records are taken, these are dropped and read again from what is committed."""
    consumer = FakeConsumer(MESSAGES, committed)
    taking = batches(consumer)
    consumer.on_consume = lambda: setattr(taking, "rebalanced", True)
    assert taking.take() == []
    assert consumer.assigned == assigned


def test_rebalance_while_taking_an_error() -> None:
    """An error in a record's place is not dropped with the records: librdkafka reports some only once."""
    consumer = FakeConsumer([*MESSAGES, FakeFailure(2, 0)], {0: NONE, 2: NONE})
    taking = batches(consumer)
    consumer.on_consume = lambda: setattr(taking, "rebalanced", True)
    with pytest.raises(KafkaConsumerException):
        taking.take()
    assert consumer.assigned is None


def test_rebalance_without_records() -> None:
    """Where partitions move and no record was taken, nothing is to be read again."""
    consumer = FakeConsumer([], {0: 5})
    taking = batches(consumer)
    consumer.on_consume = lambda: setattr(taking, "rebalanced", True)
    assert taking.take() == []
    assert consumer.assigned is None


def test_commits_when_idle() -> None:
    """Where nothing more comes, what has been handled is due at once; where nothing was handled, nothing is."""
    consumer, context = FakeConsumer([], {}), FakeContext()
    taking = batches(consumer, context)
    assert taking.take() == []
    context.store_offset("in", 0, 5)
    assert taking.take() == []
    assert consumer.polled == [IDLE_WAIT, COMMIT_WHEN_IDLE]
    assert context.checkpoint._commit_every == 1


def test_no_commit_while_they_come() -> None:
    """A record that comes while we wait for one leaves COMMIT_EVERY in force."""
    consumer, context = FakeConsumer([], {}), FakeContext()
    consumer.next = MESSAGES[0]
    context.store_offset("in", 0, 5)
    assert batches(consumer, context).take() == [MESSAGES[0]]
    assert context.checkpoint._commit_every == context.commit_every


@pytest.mark.parametrize(("exactly_once", "waits"), [(True, True), (False, False)])
def test_between_transactions(monkeypatch: pytest.MonkeyPatch, exactly_once: bool, waits: bool) -> None:  # noqa: FBT001
    """After a commit, records are left waiting until the broker has ended the transaction, where there is one."""
    context = FakeContext()
    context.exactly_once = exactly_once
    context.checkpoint._created_at = time.monotonic()
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    batches(FakeConsumer(MESSAGES, {}), context).take()
    assert (sum(slept) > 0) == waits
    assert sum(slept) <= BETWEEN_TRANSACTIONS


def test_offsets_after_all() -> None:
    """Offsets are stored once the whole batch is handled, the last of each partition, and every record counts."""
    context = FakeContext()
    seen: list[Any] = []
    handling = batches(FakeConsumer(MESSAGES, {}), context)

    def execute(*record: Any) -> None:
        assert not context.stored
        seen.append(record)

    handling.handle(cast("Any", MESSAGES), execute)
    assert seen == [(b"{}", None, 5, None)] * 3
    assert context.stored == {0: 6, 1: 7}
    assert context.checkpoint._total_offsets_processed == 3


def test_failure_stores_nothing() -> None:
    """A record that fails leaves the whole batch's offsets unstored."""
    context = FakeContext()
    handling = batches(FakeConsumer(MESSAGES, {}), context)

    def execute(*_record: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handling.handle(cast("Any", MESSAGES), execute)
    assert not context.stored


@pytest.mark.parametrize(("count", "commit_every"), [(1, 10), (BATCH - 1, 10), (BATCH, 0)])
def test_group_commit(count: int, commit_every: int) -> None:
    """A full batch, which means a backlog, leaves the end of the checkpoint to the interval."""
    context = FakeContext()
    messages = [FakeMessage(0, offset) for offset in range(count)]
    batches(FakeConsumer([], {}), context).handle(cast("Any", messages), lambda *_: None)
    assert context.checkpoint._commit_every == commit_every
