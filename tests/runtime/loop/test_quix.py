"""Quix's dataframe and producer as runtime/ uses them. test_private_names.py checks the names behind them."""

from inspect import getclosurevars

import pytest
from confluent_kafka import KafkaError, Message
from quixstreams.internal_producer import InternalProducer
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError
from quixstreams.models import Topic

from runtime.loop.application import Application
from runtime.loop.quix import QuixProducer
from runtime.settings import Settings


def test_first_step() -> None:
    """The only step of a dataframe gets the records directly, not through a step of Quix's. Two steps both get them."""
    frame = Application(Settings()).dataframe(Topic("in"))
    taken: list[int] = []
    frame.apply(taken.append)
    (execute,) = frame.stream.compose().values()
    assert getclosurevars(execute).nonlocals["func"] == taken.append
    frame.apply(lambda value: taken.append(2 * value))
    (execute,) = frame.stream.compose().values()
    execute(7, b"k", 1, None)
    assert taken == [7, 14]


@pytest.fixture(params=[True, False])
def quix(request: pytest.FixtureRequest) -> QuixProducer:
    """A producer with transactions, or without, that has sent nothing yet."""
    extra = {"transactional.id": "it"} if request.param else {}
    return QuixProducer(InternalProducer("127.0.0.1:9", extra_config=extra, transactional=request.param))


def test_config(quix: QuixProducer) -> None:
    """The configuration is what Quix would use: the broker, its callbacks, and the transactional id if there is one."""
    assert quix.config["bootstrap.servers"] == "127.0.0.1:9"
    assert {"error_cb", "stats_cb"} <= quix.config.keys()
    assert ("transactional.id" in quix.config) is quix.transactional


def test_failed_delivery(quix: QuixProducer) -> None:
    """The first failed delivery is raised, once. What was purged has not failed."""
    deliver = quix.config["on_delivery"]
    for code in (KafkaError._PURGE_QUEUE, KafkaError.INVALID_TIMESTAMP, KafkaError._TIMED_OUT):
        deliver(KafkaError(code), Message())
    with pytest.raises(KafkaProducerDeliveryError) as raised:
        quix.raise_for_error()
    assert raised.value.error.code() == KafkaError.INVALID_TIMESTAMP
    quix.raise_for_error()


def test_replace(quix: QuixProducer) -> None:
    """Quix uses the producer that it is given, and makes none itself. The one before is given back."""

    class Client:
        """A producer that counts."""

        polls = 0

        def poll(self, timeout: float) -> None:
            assert timeout == 0.0
            self.polls += 1

    first, second = Client(), Client()
    assert quix.replace(first) == [None]
    quix.internal.poll(0.0)
    assert quix.replace(second) == [first]
    quix.internal.poll(0.0)
    assert (first.polls, second.polls) == (1, 1)
