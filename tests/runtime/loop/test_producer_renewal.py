"""When the producer is replaced, with fake clients. For real ones, see tests/pipeline/test_slow_commit.py."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError

from runtime import limits
from runtime.errors import Replaced, Stopped
from runtime.loop import producer_renewal
from runtime.loop.producer_renewal import ProducerRenewal
from runtime.loop.quix import QuixProducer
from runtime.stop.signals import stop_request


class Clock:
    """A clock that stands still until a commit moves it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


CLOCK = Clock()


class FakeProducer:
    """Counts how often it asked for its id, which it gets at the last of `answers`."""

    answers: list[KafkaException | None]
    made: list["FakeProducer"]

    def __init__(self, config: dict[str, object]) -> None:
        assert config == {"transactional.id": "it", "batch.size": 7}
        self.asked = 0
        self.connected = False
        self.made.append(self)

    def list_topics(self, topic: str, timeout: float) -> None:
        assert topic == "out"
        assert timeout <= 1.0
        self.connected = True
        raise RETRIABLE

    def init_transactions(self, timeout: float) -> None:
        assert self.connected
        assert timeout <= 1.0
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if answer is not None:
            raise answer


class FakeQuix:
    """Quix's producer, whose commit takes `seconds`."""

    def __init__(self, *, transactional: bool = True) -> None:
        self._producer = SimpleNamespace(transactional=transactional, _inner_producer=None)
        self.seconds = 0.0
        self.error: Exception | None = None
        self.begun_by: list[object] = []
        self.committed: list[Any] = []
        self.purged = 0

    def begin_transaction(self) -> None:
        self.begun_by.append(self._producer._inner_producer)

    def commit_transaction(self, positions: list[Any], _group: object, timeout: float | None) -> None:
        CLOCK.now += self.seconds
        self.committed.append((positions, timeout))

    def purge(self) -> None:
        self.purged += 1

    def _raise_for_error(self) -> None:
        if self.error is not None:
            raise self.error


RETRIABLE = KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))
FATAL = KafkaException(KafkaError(KafkaError._FATAL, fatal=True))


def renewal(quix: FakeQuix, within: float = 10.0, *, is_replaced: bool = False) -> ProducerRenewal:
    """What is tested, started, with a list of the producers that it gave as `made` of FakeProducer."""
    config = {"transactional.id": "it", "batch.size": 7}
    producer, sink = QuixProducer(cast("Any", quix)), cast("Any", SimpleNamespace(topic="out", connect=lambda *_: None))
    tested = ProducerRenewal(producer, config, sink, lambda offsets: [*offsets, "marked"], lambda: is_replaced)
    tested.start(within)
    return tested


@pytest.fixture(autouse=True)
def _clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Producers get their ids at once, and time passes only in commits."""
    FakeProducer.answers, FakeProducer.made = [None], []
    monkeypatch.setattr(producer_renewal, "Producer", FakeProducer)
    monkeypatch.setattr(producer_renewal, "time", CLOCK)
    monkeypatch.setattr(stop_request, "requested", False)


@pytest.mark.parametrize(("share", "producers"), [(0.0, 1), (0.9, 1), (1.1, 2)])
def test_slow_commit(share: float, producers: int) -> None:
    """A slow commit gives the next transaction a new producer, which then stays. A quick commit gives none."""
    quix = FakeQuix()
    renewal(quix)
    quix.begin_transaction()
    quix.seconds = share * limits.REQUEST_MAY_REPEAT_AFTER
    quix.commit_transaction([TopicPartition("in", 0, 7)], None, 3.0)
    quix.seconds = 0.0
    for _ in range(2):
        quix.begin_transaction()
        quix.commit_transaction([], None, 3.0)

    assert len(FakeProducer.made) == producers
    assert quix.begun_by == [FakeProducer.made[0], FakeProducer.made[-1], FakeProducer.made[-1]]
    assert quix.committed[0] == ([TopicPartition("in", 0, 7), "marked"], 3.0)


def test_discard() -> None:
    """What is given up is dropped, with its errors, and the next transaction gets a new producer."""
    quix = FakeQuix()
    tested = renewal(quix)
    quix.error = KafkaProducerDeliveryError(KafkaError(KafkaError._PURGE_QUEUE))
    tested.discard()
    quix.begin_transaction()
    assert quix.purged == 1
    assert quix.begun_by == [FakeProducer.made[1]]


def test_replaced() -> None:
    """A worker that another one has replaced does not take the transactional id back."""
    quix = FakeQuix()
    tested = renewal(quix, is_replaced=True)
    quix.begin_transaction()
    tested.discard()
    with pytest.raises(Replaced):
        quix.begin_transaction()
    assert len(FakeProducer.made) == len(quix.begun_by) == 1


def test_stop() -> None:
    """Once it was asked to stop, no producer is made for a transaction that gets no record."""
    quix = FakeQuix()
    tested = renewal(quix)
    tested.discard()
    stop_request.requested = True
    quix.begin_transaction()
    assert quix.begun_by == []
    assert len(FakeProducer.made) == 1


def test_stop_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is there such a transaction if it is asked to stop while the new producer waits for its id."""
    quix = FakeQuix()
    tested = renewal(quix)
    tested.discard()

    def stop(_self: FakeProducer, _timeout: float) -> None:
        stop_request.requested = True
        raise RETRIABLE

    monkeypatch.setattr(FakeProducer, "init_transactions", stop)
    quix.begin_transaction()
    assert quix.begun_by == []


def test_waits_for_coordinator() -> None:
    """It asks for the producer's id until it gets it."""
    FakeProducer.answers = [RETRIABLE, RETRIABLE, None]
    quix = FakeQuix()
    renewal(quix)
    (producer,) = FakeProducer.made
    assert producer.asked == 3
    assert quix._producer._inner_producer is producer


@pytest.mark.parametrize(
    ("answer", "within", "said"), [(FATAL, 10.0, "fatal"), (RETRIABLE, -1.0, "got no producer id within -1 s: ")]
)
def test_no_id(answer: KafkaException, within: float, said: str) -> None:
    """It does not wait for what cannot come, nor for longer than it may. The error says what it waited for."""
    FakeProducer.answers = [answer]
    with pytest.raises(KafkaException) as raised:
        renewal(FakeQuix(), within)
    error = raised.value.args[0]
    assert error.code() == answer.args[0].code()
    assert said in error.str().lower()


def test_stop_while_waiting() -> None:
    """A request to stop ends the wait for an id."""
    FakeProducer.answers = [RETRIABLE]
    stop_request.requested = True
    with pytest.raises(Stopped):
        renewal(FakeQuix())


def test_not_transactional() -> None:
    """Without transactions a producer needs no id."""
    renewal(FakeQuix(transactional=False))
    assert FakeProducer.made[0].asked == 0
