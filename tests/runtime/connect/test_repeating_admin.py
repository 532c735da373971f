"""Requests that are repeated. For their purpose, see tests/pipeline/test_start_beside_dead_broker.py."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, BrokerMetadata, ClusterMetadata, NewTopic, OffsetSpec

from runtime import limits
from runtime.connect import repeating_admin
from runtime.connect.repeating_admin import RepeatingAdmin
from tests.kafka import TIMEOUT, Kafka

Key = TypeVar("Key")
NO_ANSWER = KafkaException(KafkaError(KafkaError._TIMED_OUT))


class Counting(AdminClient):  # type: ignore[misc]  # confluent-kafka has no types for it
    """An admin client that counts its requests, and loses the answers to the first ones."""

    def __init__(self, address: str, unanswered: int) -> None:
        super().__init__({"bootstrap.servers": address, "log_level": 0})
        self.sent = 0
        self.refreshed: list[float] = []
        """The timeouts of the requests for metadata."""
        self.unanswered = unanswered
        self.lost_metadata = 0
        """How many of the requests for metadata are not answered."""
        self.dead_controllers: list[BrokerMetadata] = []
        """What the next metadata name as the controller."""

    def describe_topics(self, *args: Any, **options: Any) -> dict[str, Future[Any]]:
        """Count it."""
        return self.counted(super().describe_topics(*args, **options))

    def create_topics(self, *args: Any, **options: Any) -> dict[str, Future[None]]:
        """Count it."""
        return self.counted(super().create_topics(*args, **options))

    def list_topics(self, *args: Any, timeout: float, **options: Any) -> ClusterMetadata:
        """Note the request, then lose it or have the answer name a dead controller."""
        self.refreshed.append(timeout)
        if len(self.refreshed) <= self.lost_metadata:
            raise NO_ANSWER
        metadata = super().list_topics(*args, timeout=timeout, **options)
        if self.dead_controllers:
            dead = self.dead_controllers.pop()
            metadata.controller_id = dead.id
            metadata.brokers[dead.id] = dead
        return metadata

    def list_offsets(self, *args: Any, **options: Any) -> dict[TopicPartition, Future[Any]]:
        """Count it."""
        return self.counted(super().list_offsets(*args, **options))

    def counted(self, answers: dict[Key, Future[Any]]) -> dict[Key, Future[Any]]:
        """The answers, or their loss."""
        self.sent += 1
        if self.sent > self.unanswered:
            return answers
        wait(answers.values())
        lost: dict[Key, Future[Any]] = {name: Future() for name in answers}
        for answer in lost.values():
            answer.set_exception(NO_ANSWER)
        return lost


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a real answer may take longer than the first timeout."""
    monkeypatch.setattr(limits, "FIRST_ATTEMPT_TIMEOUT", TIMEOUT)


@pytest.mark.parametrize("unanswered", [0, 2])
def test_answer(kafka: Kafka, topics: Callable[..., str], unanswered: int) -> None:
    """A request is sent again until it is answered, after new metadata. No part may take longer than the whole."""
    topic, admin = topics("described"), Counting(kafka.address, unanswered)
    (answer,) = RepeatingAdmin(admin).describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT).values()
    assert answer.result().name == topic
    assert admin.sent == unanswered + 1
    assert len(admin.refreshed) == unanswered
    assert all(timeout <= TIMEOUT for timeout in admin.refreshed)


def test_metadata(kafka: Kafka, topics: Callable[..., str]) -> None:
    """A request for metadata is sent again, too: librdkafka may lose it."""
    topic, admin = topics("listed"), Counting(kafka.address, 0)
    admin.lost_metadata = 2
    tested = RepeatingAdmin(admin)
    for _ in range(2):
        assert topic in tested.list_topics(10 * TIMEOUT).topics
    assert admin.refreshed == [TIMEOUT, 2 * TIMEOUT, 4 * TIMEOUT, TIMEOUT], "a lost request is not a slow answer"


def test_slow_answers(kafka: Kafka, topics: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """If an answer was slow, the next request has more time at once: twice its time, within a limit."""
    topic, admin = topics("listed"), Counting(kafka.address, 0)
    now = 0.0
    monkeypatch.setattr(repeating_admin, "time", SimpleNamespace(monotonic=lambda: now))
    tested, within = RepeatingAdmin(admin), 2 * TIMEOUT

    def slowly(timeout: float) -> ClusterMetadata:
        nonlocal now
        now += within
        return Counting.list_topics(admin, timeout=timeout)

    monkeypatch.setattr(admin, "list_topics", slowly)
    for _ in range(2):
        assert topic in tested.list_topics(TIMEOUT).topics
    assert admin.refreshed == [TIMEOUT, 3 * TIMEOUT], "it may take three times as long as was given"


def test_dead_controller(kafka: Kafka, topics: Callable[..., str], free_port: int) -> None:
    """A request is not sent again before the metadata name a controller that accepts connections."""
    topic, admin = topics("described"), Counting(kafka.address, 1)
    dead = BrokerMetadata()
    dead.id, dead.host, dead.port = 99, "127.0.0.1", free_port
    admin.dead_controllers = [dead, dead]
    RepeatingAdmin(admin).describe(topic, 10 * TIMEOUT)
    assert admin.sent == 2
    assert len(admin.refreshed) == 3
    assert admin.dead_controllers == []


def test_offsets(kafka: Kafka, topics: Callable[..., str]) -> None:
    """The offsets of partitions are asked for again, too: librdkafka may wait for a dead broker until the timeout."""
    place, admin = TopicPartition(topics("offsets"), 0), Counting(kafka.address, 1)
    (answer,) = RepeatingAdmin(admin).list_offsets({place: OffsetSpec.latest()}, TIMEOUT).values()
    assert answer.result().offset == 0
    assert admin.sent == 2


def test_refusal(kafka: Kafka) -> None:
    """A refusal is an answer: the request is not repeated."""
    admin = Counting(kafka.address, 0)
    (answer,) = RepeatingAdmin(admin).describe_topics(TopicCollection(["absent"]), request_timeout=TIMEOUT).values()
    with pytest.raises(KafkaException) as raised:
        answer.result()
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert admin.sent == 1


def test_creation(kafka: Kafka, topics: Callable[..., str]) -> None:
    """A topic is there if the answer to its creation came too late, and the second request does no harm."""
    topic, admin = f"{topics('described')}-new", Counting(kafka.address, 1)
    (answer,) = RepeatingAdmin(admin).create_topics([NewTopic(topic, 1)], request_timeout=TIMEOUT).values()
    assert answer.exception() is None or "already exists" in str(answer.exception())
    assert topic in admin.list_topics(timeout=TIMEOUT).topics


def test_no_broker(free_port: int) -> None:
    """Without a broker, it ends with librdkafka's error after the time that was given."""
    admin = Counting(f"127.0.0.1:{free_port}", 0)
    (answer,) = RepeatingAdmin(admin).describe_topics(TopicCollection(["any"]), request_timeout=0.1).values()
    with pytest.raises(KafkaException) as raised:
        answer.result()
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT
