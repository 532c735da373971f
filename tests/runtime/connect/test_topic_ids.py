"""Topic ids, with a stand-in for the administrator; tests/pipeline/test_recreated.py has topics that are recreated."""

from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from loguru import logger

from runtime import limits
from runtime.connect.topic_ids import NO_ID, TopicIds
from runtime.errors import Misconfigured

IDS = {"in": "id-1", "out": "id-2"}


class FakeAdmin:
    """Answers with these ids or errors, by topic; None never answers."""

    def __init__(self, answers: dict[str, str | int | None]) -> None:
        self.answers = answers
        self.asked = 0

    def describe_topics(self, topics: TopicCollection, request_timeout: float) -> dict[str, Future[Any]]:
        assert request_timeout > 0
        self.asked += 1
        return {name: self._answer(name) for name in topics.topic_names}

    def list_topics(self, timeout: float) -> None:
        assert timeout > 0

    def _answer(self, name: str) -> Future[Any]:
        future: Future[Any] = Future()
        answer = self.answers[name]
        if isinstance(answer, str):
            future.set_result(SimpleNamespace(topic_id=answer))
        elif answer is not None:
            future.set_exception(KafkaException(KafkaError(answer)))
        return future


def ids_of(admin: FakeAdmin) -> TopicIds:
    """What is tested."""
    return TopicIds(cast("Any", admin), IDS, lambda: "in[0]@7")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    found: list[str] = []
    sink = logger.add(lambda line: found.append(str(line).strip()), format="{level} {message}")
    yield found
    logger.remove(sink)


def test_same() -> None:
    """Topics that are what they were pass."""
    ids = ids_of(FakeAdmin(dict(IDS)))
    ids.ask()
    ids.check()


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("id-3", "was deleted and created again"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "was deleted while"),
        (KafkaError.UNKNOWN_TOPIC_ID, "was deleted while"),
    ],
)
def test_replaced(name: str, answer: str | int, said: str) -> None:
    """A topic that is another one, or gone, ends in 78; the line names it, what was read, and how to go on."""
    ids = ids_of(FakeAdmin({**IDS, name: answer}))
    ids.ask()
    with pytest.raises(Misconfigured) as stop:
        ids.check()
    for text in (f"{name} {said}", "up to in[0]@7", "Start the pipeline again"):
        assert text in str(stop.value)


def test_broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again while a broker is away, and raises that in the end."""
    monkeypatch.setattr(limits, "TOPIC_IDS_TIMEOUT", 0.1)
    admin = FakeAdmin({**IDS, "out": KafkaError._TIMED_OUT})
    ids = ids_of(admin)
    ids.ask()
    with pytest.raises(KafkaException):
        ids.check()
    assert admin.asked > 1


def test_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that comes of a deletion is told as such, also if the metadata say so later; another one is kept."""
    gone, other = (KafkaException(KafkaError(code)) for code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._FENCED))
    admin = FakeAdmin(dict(IDS))
    monkeypatch.setattr(limits, "TOPIC_GONE_TIMEOUT", 0.3)
    ids = ids_of(admin)
    assert ids.explain(gone) is gone
    assert admin.asked > 1

    admin.answers["in"] = KafkaError.UNKNOWN_TOPIC_OR_PART
    assert "in was deleted" in str(ids.explain(gone))
    assert ids.explain(other) is other


def test_while_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing to commit it never waits, asks once in limits.TOPIC_IDS_INTERVAL at most, and sees what changed."""
    admin = FakeAdmin({**IDS, "in": None})
    ids = ids_of(admin)
    for _ in range(3):
        ids.check_now_and_then()
    assert admin.asked == 1

    monkeypatch.setattr(limits, "TOPIC_IDS_INTERVAL", 0.0)
    ids.check_now_and_then()
    assert admin.asked == 1

    admin.answers["in"] = "id-3"
    ids = ids_of(admin)
    ids.check_now_and_then()
    with pytest.raises(Misconfigured):
        ids.check_now_and_then()


def test_no_ids(lines: list[str]) -> None:
    """A broker that tells no ids is warned of, once for each topic, and nothing is checked."""
    admin = FakeAdmin({})
    ids = TopicIds(cast("Any", admin), dict.fromkeys(IDS, NO_ID), str)
    ids.ask()
    ids.check()
    ids.check_now_and_then()
    assert admin.asked == 0
    assert sorted(line.split("id of ")[1].split(":")[0] for line in lines) == sorted(IDS)
    assert all(line.startswith("WARNING") for line in lines)


@pytest.mark.parametrize(
    ("topic", "metadata", "is_of_another"),
    [
        ("in", "topic-id:id-1", False),
        ("in", "topic-id:id-0", True),
        ("in", None, False),
        ("in", "", False),
        ("in", "somebody's", False),
        ("other", "topic-id:id-0", False),
    ],
)
def test_marks(topic: str, metadata: str | None, *, is_of_another: bool) -> None:
    """Offsets carry the id of their topic, by which those of another topic are told."""
    ids = ids_of(FakeAdmin({}))
    committed = cast("TopicPartition", SimpleNamespace(topic=topic, partition=0, offset=7, metadata=metadata))
    assert ids.is_of_another_topic(committed) == is_of_another

    (marked,) = ids.marked([TopicPartition("in", 3, 8)])
    assert (marked.topic, marked.partition, marked.offset, marked.metadata) == ("in", 3, 8, "topic-id:id-1")
    assert not ids.is_of_another_topic(marked)
