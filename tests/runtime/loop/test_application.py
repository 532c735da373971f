"""What stops the application, without a broker: a signal, partitions that move, a commit that takes too long."""

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed
from runtime.explain import EVICTED_TEXT, explain
from runtime.loop import application
from runtime.loop.application import Application
from runtime.loop.sink import Sink
from runtime.settings import Settings
from runtime.stop.signals import stop_request

LOST = pytest.mark.parametrize(
    ("answered", "code", "said"), [(True, 70, EVICTED_TEXT), (False, 69, "no broker answers at kafka:9")]
)


def no_broker(*_: object) -> None:
    """What a client raises that no broker answers."""
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))


def made(*, answered: bool = True) -> Application:
    """An application whose broker answers, or not."""
    app = Application(Settings())
    app._refresh_metadata = bool if answered else no_broker  # type: ignore[assignment,method-assign]
    stand_ins: Any = SimpleNamespace(
        start=lambda: None,
        explain=lambda error: error,
        explained=lambda _missing: nullcontext(),
        find=lambda: None,
    )
    app._renewal = app._positions.topic_ids = app._causes = app._replacement = stand_ins
    return app


@LOST
def test_overdue_commit(monkeypatch: pytest.MonkeyPatch, code: int, said: str, *, answered: bool) -> None:
    """A commit that is overdue starts the failure deadline. The error says why it cannot succeed any more."""
    started: list[bool] = []
    monkeypatch.setattr(stop_request, "start_failure_deadline", lambda: started.append(True))
    app = made(answered=answered)
    app._on_commit_timeout()
    assert started
    assert app._failure is not None
    explained = explain(app._failure, "kafka:9")
    assert explained.exit_code == code
    assert said in str(explained)


@LOST
def test_lost_partitions(code: int, said: str, *, answered: bool) -> None:
    """Partitions are lost to the group, or with the last broker: what stops the pipeline tells which."""
    with pytest.raises((Failed, KafkaException)) as lost:
        made(answered=answered).lose()
    explained = explain(lost.value, "kafka:9")
    assert explained.exit_code == code
    assert said in str(explained)


@pytest.mark.parametrize("error", [None, ValueError("first"), KeyboardInterrupt()])
def test_lost_after_the_loop(monkeypatch: pytest.MonkeyPatch, error: BaseException | None) -> None:
    """Partitions that are lost after the loop do not hide what ended it, and are no failure if all is committed."""
    monkeypatch.setattr(application, "gc", SimpleNamespace(freeze=list, set_threshold=bool))
    monkeypatch.setattr(stop_request, "start_failure_deadline", lambda: None)
    app = made()
    app._sink = Sink(TopicFacts("out", 1, {}), app._batches, app.totals)
    app._membership.joining = False

    def loop() -> None:
        if error is not None:
            raise error

    if error is None:
        app.run_loop(loop)
    else:
        with pytest.raises(type(error)):
            app.run_loop(loop)
    app.lose()
    assert app._failure is (error if isinstance(error, Exception) else None)


@pytest.mark.parametrize("rebalance", [lambda app: app.assign([], no_broker), lambda app: app.revoke(no_broker)])
def test_failed_rebalance(rebalance: Callable[[Application], None]) -> None:
    """What a rebalance raises is kept, as confluent-kafka may lose it."""
    app = made()
    app._positions.assign = list  # type: ignore[assignment,method-assign]
    with pytest.raises(KafkaException) as raised:
        rebalance(app)
    assert app._failure is raised.value


def test_read_again() -> None:
    """Only records that arrive with a revocation are read again: the first ones after a start would wait for 0.5 s."""
    app = made()
    app._positions.assign = list  # type: ignore[assignment,method-assign]
    app.context.consumer.memberid = str  # type: ignore[method-assign]
    revoked = []
    for rebalance in (app.assign, lambda _places, proceed: app.revoke(proceed)):
        rebalance([], lambda: None)
        revoked.append(app._batches.revoked)
    assert revoked == [False, True]


@pytest.mark.parametrize("requested", [True, False])
def test_asked_to_stop(monkeypatch: pytest.MonkeyPatch, *, requested: bool) -> None:
    """Once asked to stop, also before the loop began, it takes no more records and ends the loop."""
    did: list[str] = []
    app = made()
    monkeypatch.setattr(stop_request, "requested", requested)
    monkeypatch.setattr(app, "stop", lambda: did.append("stop"))
    monkeypatch.setattr(app.context.producer, "poll", lambda _: None)
    monkeypatch.setattr(app._batches, "take", lambda: did.append("take"))
    app.iterate(lambda *_: None)
    assert did == (["stop"] if requested else ["take"])
