"""The sink, if the producer does not take a record at once."""

import gc
import weakref
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError

from runtime import limits
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Misconfigured, OutputTooSlow
from runtime.loop.quix import QuixProducer
from runtime.loop.sink import Sink
from runtime.observe.counters import Totals
from tests.kafka import TIMEOUT

FULL = BufferError("Local: Queue full")
NO_PARTITION = KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
FATAL = KafkaException(KafkaError(KafkaError._FATAL))
STATE = KafkaException(KafkaError(KafkaError._STATE))
NOT_ALLOWED = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
DELIVERY = KafkaProducerDeliveryError(KafkaError(KafkaError.INVALID_TIMESTAMP))


class Producer:
    """Raises what it is given, then takes every record. `refused` is why it begins no transaction."""

    def __init__(self, raised: Iterable[Exception] = (), refused: Exception | None = None) -> None:
        self._refused = refused
        self.taken: list[tuple[Any, ...]] = []
        self.asked = 0
        self._raised = iter(raised)

    def produce(self, *arguments: Any) -> None:
        """Take a record, or not."""
        for error in self._raised:
            raise error
        self.taken.append(arguments)

    def poll(self, _timeout: float) -> None:
        """Let delivery reports come in."""

    def begin_transaction(self) -> None:
        """Begin a transaction, or not."""
        if self._refused is not None:
            raise self._refused

    def list_topics(self, _topic: str, timeout: float) -> None:
        """Ask the broker for the topic's partitions."""
        assert timeout > 0
        self.asked += 1


class Quix:
    """Quix's producer: a delivery has failed, or not."""

    def __init__(self, failure: Exception | None = None, *, transactional: bool = False) -> None:
        self._failure = failure
        self._producer = SimpleNamespace(transactional=transactional)

    def _raise_for_error(self) -> None:
        if self._failure is not None:
            raise self._failure


class Record:
    """The current record."""

    def partition(self) -> int:
        """The partition that it came from."""
        return 2


class Batches:
    """One record."""

    current = Record()


class NoHeaders(list[tuple[str, bytes]]):
    """A list that may have weak references."""


def send(
    producer: Producer | confluent_kafka.Producer, quix: Quix | None = None, headers: NoHeaders | None = None
) -> None:
    """Send one record."""
    step = Sink(TopicFacts("out", 1, {}), Batches(), Totals())  # type: ignore[arg-type]
    step.connect(QuixProducer(quix or Quix()), producer)  # type: ignore[arg-type]
    execute: Callable[..., None] = step.get_executor()
    execute(b"v", b"k", 7, headers)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up after half a second."""
    for name in ("QUEUE_ROOM_TIMEOUT", "FLUSH_TIMEOUT", "PARTITION_METADATA_TIMEOUT"):
        monkeypatch.setattr(limits, name, 0.5)


def test_partition() -> None:
    """A record goes to the partition that it came from."""
    producer = Producer()
    send(producer)

    assert [arguments[:4] for arguments in producer.taken] == [("out", b"v", b"k", 2)]
    assert producer.taken[0][6] == 7


@pytest.mark.parametrize("raised", [[FULL], [FULL] * 50, [NO_PARTITION], [NO_PARTITION, NO_PARTITION]])
def test_again(raised: list[Exception]) -> None:
    """What the producer does not take for now, it is given again until it does: once, in the end."""
    producer, usual = Producer(raised), Producer()
    send(producer)
    send(usual)

    assert producer.taken == usual.taken
    assert producer.asked == raised.count(NO_PARTITION)


def test_released(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """A record that waited for room is released once it is produced, and its batch too: no cycle keeps the stack."""
    monkeypatch.setattr(limits, "QUEUE_ROOM_TIMEOUT", TIMEOUT)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": f"127.0.0.1:{free_port}", "queue.buffering.max.messages": 1, "message.timeout.ms": 100}
    )
    producer.produce("out", b"fills the queue until it times out")
    headers = NoHeaders()
    record = weakref.ref(headers)
    gc.disable()
    try:
        send(producer, headers=headers)
        del headers
        assert record() is None
    finally:
        gc.enable()


def test_full_for_too_long() -> None:
    """A queue that stays full stops the pipeline."""
    for quix in (Quix(), Quix(transactional=True)):
        with pytest.raises(OutputTooSlow, match="took no record"):
            send(Producer(repeat(FULL)), quix)


def test_partition_lacking() -> None:
    """A partition that the output topic does not gain in time stops the pipeline with 78, and is named."""
    producer = Producer(repeat(NO_PARTITION))
    with pytest.raises(Misconfigured, match="a partition 2 that the output topic 'out' lacks"):
        send(producer)

    assert producer.taken == []


@pytest.mark.parametrize(
    ("first", "then", "raised"), [(NO_PARTITION, FULL, OutputTooSlow), (FULL, NO_PARTITION, Misconfigured)]
)
def test_another_error_after_the_first(first: Exception, then: Exception, raised: type[Exception]) -> None:
    """The error that lasts stops the pipeline, not the one that came first and passed."""
    with pytest.raises(raised):
        send(Producer(chain([first], repeat(then))))


@pytest.mark.parametrize(
    ("raised", "refused", "quix", "cause"),
    [
        (FATAL, None, Quix(), FATAL),
        (FATAL, NOT_ALLOWED, Quix(), FATAL),
        (FATAL, None, Quix(DELIVERY), DELIVERY),
        (STATE, NOT_ALLOWED, Quix(transactional=True), NOT_ALLOWED),
        (STATE, NOT_ALLOWED, Quix(DELIVERY, transactional=True), DELIVERY),
        (STATE, None, Quix(transactional=True), STATE),
    ],
)
def test_cause(raised: Exception, refused: Exception | None, quix: Quix, cause: Exception) -> None:
    """If the producer takes nothing any more, the error raised is the cause: a failed delivery, or a refusal."""
    for first in ([], [FULL], [NO_PARTITION]):
        producer = Producer([*first, raised], refused)
        with pytest.raises(type(cause)) as caught:
            send(producer, quix)

        if not first or quix._failure is None:
            assert caught.value is cause
        assert producer.taken == []


@pytest.mark.parametrize("raised", [FULL, NO_PARTITION])
def test_earlier_failure(raised: Exception) -> None:
    """While it waits, an earlier record's failed delivery stops it, and is never suppressed."""
    producer = Producer([raised])
    with pytest.raises(KafkaProducerDeliveryError):
        send(producer, Quix(KafkaProducerDeliveryError(KafkaError(KafkaError._TIMED_OUT))))

    assert producer.taken == []
