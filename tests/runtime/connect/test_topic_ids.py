"""Topic ids, with a fake admin client. The tests with a real one are in tests/pipeline/test_recreated.py."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition

from runtime import limits
from runtime.connect.topic_ids import NO_ID, TopicIds
from runtime.errors import Misconfigured

IDS = {"in": "id-1", "out": "id-2"}


class FakeAdmin:
    """Answers with these ids or errors, by topic. If one is None, there is never an answer."""

    def __init__(self, answers: dict[str, str | int | None]) -> None:
        self.answers = answers
        self.timeouts: list[float] = []

    @property
    def requests(self) -> int:
        return len(self.timeouts)

    def describe_topics(self, topics: TopicCollection, request_timeout: float) -> dict[str, Future[Any]]:
        self.timeouts.append(request_timeout)
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
    """TopicIds with this admin client."""
    return TopicIds(cast("Any", admin), IDS, lambda: "in[0]@7")


def test_same() -> None:
    """Unchanged topics pass."""
    ids = ids_of(FakeAdmin(dict(IDS)))
    ids.request()
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
    """A replaced or deleted topic is an error. The line names it, what was read, and what to do."""
    ids = ids_of(FakeAdmin({**IDS, name: answer}))
    ids.request()
    with pytest.raises(Misconfigured) as stop:
        ids.check()
    for text in (f"{name} {said}", "up to in[0]@7", "Restart"):
        assert text in str(stop.value)


def test_broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is repeated while no broker answers, until limits.TOPIC_IDS_TIMEOUT. The error says what for."""
    monkeypatch.setattr(limits, "TOPIC_IDS_TIMEOUT", 1.0)
    monkeypatch.setattr(limits, "TOPIC_IDS_REQUEST_TIMEOUT", 0.01)
    admin = FakeAdmin({**IDS, "out": KafkaError._TIMED_OUT})
    ids = ids_of(admin)
    ids.request()
    with pytest.raises(KafkaException, match="the topics' ids did not arrive within 1 s: Local: Timed out"):
        ids.check()
    assert admin.timeouts[:3] == [0.01, 0.02, 0.04]


def test_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that a deletion caused is explained, also if the metadata show it later. Another error stays."""
    deleted, other = (
        KafkaException(KafkaError(code)) for code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._FENCED)
    )
    admin = FakeAdmin(dict(IDS))
    monkeypatch.setattr(limits, "TOPIC_DELETED_TIMEOUT", 0.3)
    ids = ids_of(admin)
    assert ids.explain(deleted) is deleted
    assert admin.requests > 1

    admin.answers["in"] = KafkaError.UNKNOWN_TOPIC_OR_PART
    assert "in was deleted" in str(ids.explain(deleted))
    assert ids.explain(other) is other


def test_while_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing to commit, it never waits, requests once per limits.TOPIC_IDS_INTERVAL, and detects changes."""
    admin = FakeAdmin({**IDS, "in": None})
    ids = ids_of(admin)
    for _ in range(3):
        ids.check_periodically()
    assert admin.requests == 1

    monkeypatch.setattr(limits, "TOPIC_IDS_INTERVAL", 0.0)
    ids.check_periodically()
    assert admin.requests == 1

    admin.answers["in"] = "id-3"
    ids = ids_of(admin)
    ids.check_periodically()
    with pytest.raises(Misconfigured):
        ids.check_periodically()


def test_no_ids(lines: list[str]) -> None:
    """If the broker has no topic ids, there is one warning per topic, and nothing is checked."""
    admin = FakeAdmin({})
    ids = TopicIds(cast("Any", admin), dict.fromkeys(IDS, NO_ID), str)
    ids.request()
    ids.check()
    ids.check_periodically()
    assert admin.requests == 0
    assert sorted(line.split("id for ")[1].split(":")[0] for line in lines) == sorted(IDS)
    assert all(line.startswith("WARNING") for line in lines)


@pytest.mark.parametrize(
    ("topic", "metadata", "is_of_another"),
    [
        ("in", "topic-id:id-1", False),
        ("in", "topic-id:id-0", True),
        ("in", "instance:one client:host-1 topic-id:id-1", False),
        ("in", "instance:one client:host-1 topic-id:id-0", True),
        ("in", None, False),
        ("in", "", False),
        ("in", "metadata of another program", False),
        ("other", "topic-id:id-0", False),
    ],
)
def test_marks(topic: str, metadata: str | None, *, is_of_another: bool) -> None:
    """Offsets are committed with the id of their topic, which shows offsets of another topic."""
    ids = ids_of(FakeAdmin({}))
    committed = cast("TopicPartition", SimpleNamespace(topic=topic, partition=0, offset=7, metadata=metadata))
    assert ids.is_of_another_topic(committed) == is_of_another

    (marked,) = ids.marked([TopicPartition("in", 3, 8)])
    assert (marked.topic, marked.partition, marked.offset, marked.metadata) == ("in", 3, 8, "topic-id:id-1")
    assert not ids.is_of_another_topic(marked)
