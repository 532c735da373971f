"""Commits that wait for the group's coordinator, with a fake client. For real ones, see faults/."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime import limits
from runtime.explain import COORDINATOR_AWAY
from runtime.loop import commit as commits
from runtime.loop.commit import CommitWatchdog, retry_while_coordinator_moves
from tools.waiting import wait_until

AWAY, REFUSED = KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION


class Place(NamedTuple):
    """A partition's answer."""

    error: KafkaError | None


def answers(*codes: int | None, raised: bool) -> tuple[Callable[..., Any], list[dict[str, object]]]:
    """A `commit` that gives one answer after the other, and the list of its calls' arguments."""
    calls: list[dict[str, object]] = []

    def commit(**arguments: object) -> list[Place]:
        code = codes[min(len(calls), len(codes) - 1)]
        calls.append(arguments)
        error = None if code is None else KafkaError(code)
        if error and raised:
            raise KafkaException(error)
        return [Place(None), Place(error)]

    return commit, calls


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits long."""
    monkeypatch.setattr(limits, "COMMIT_RETRY_PAUSE", 0.001)


@pytest.mark.parametrize("raised", [True, False])
@pytest.mark.parametrize("code", sorted(COORDINATOR_AWAY))
def test_retried(code: int, *, raised: bool) -> None:
    """A commit is retried with the same offsets while the coordinator moves."""
    commit, calls = answers(code, code, None, raised=raised)

    assert retry_while_coordinator_moves(commit)(offsets=[1], asynchronous=False) == [Place(None), Place(None)]
    assert calls == [{"offsets": [1], "asynchronous": False}] * 3


def test_refused() -> None:
    """Another error is passed on at once, raised or in the answer."""
    commit, calls = answers(REFUSED, raised=True)
    with pytest.raises(KafkaException, match="generation"):
        retry_while_coordinator_moves(commit)()
    assert len(calls) == 1

    commit, calls = answers(REFUSED, raised=False)
    (_, place) = retry_while_coordinator_moves(commit)() or []
    assert place.error.code() == REFUSED
    assert len(calls) == 1


def test_asynchronous() -> None:
    """A commit without an answer is not retried."""
    assert retry_while_coordinator_moves(lambda **_: None)(asynchronous=True) is None


def test_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After limits.COMMIT_RETRY_TIMEOUT, the last answer is passed on."""
    monkeypatch.setattr(limits, "COMMIT_RETRY_TIMEOUT", 0.05)
    commit, calls = answers(AWAY, raised=True)
    with pytest.raises(KafkaException, match="oordinator"):
        retry_while_coordinator_moves(commit)()
    assert len(calls) > 1

    commit, calls = answers(AWAY, raised=False)
    (_, place) = retry_while_coordinator_moves(commit)() or []
    assert place.error.code() == AWAY
    assert len(calls) > 1


@pytest.mark.parametrize(("own", "given"), [(30.0, [30.0, 10.0, 1.0]), (7.0, [7.0, 7.0, 1.0])])
def test_timeout_of_a_request(monkeypatch: pytest.MonkeyPatch, own: float, given: list[float]) -> None:
    """A request's own timeout ends with the time for retries, but leaves a second for an answer."""
    clock = iter([0.0, 0.0, 20.0, 20.0, 29.5, 29.5])  # the begin, each request, and each error
    monkeypatch.setattr(commits, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    commit, calls = answers(AWAY, AWAY, None, raised=True)
    retry_while_coordinator_moves(commit)(timeout=own)
    assert [call["timeout"] for call in calls] == given


def watched(
    lasts_until: threading.Event, refresh_metadata: Callable[[], object] = bool, on_timeout: Callable[[], object] = bool
) -> CommitWatchdog:
    """A commit that lasts until an event comes, or a minute, and says whether it came."""

    def commit(**options: bool) -> None:
        if not lasts_until.wait(60):
            raise TimeoutError(options)

    return CommitWatchdog(commit, refresh_metadata, on_timeout)


def test_refreshes_during_a_long_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """During a long commit, the metadata are refreshed repeatedly, also after a failed refresh."""
    monkeypatch.setattr(limits, "METADATA_REFRESH_AFTER", 0.02)
    monkeypatch.setattr(commits, "_CHECK_INTERVAL", 0.001)
    done = threading.Event()
    refreshes: list[int] = []

    def refresh_metadata() -> None:
        refreshes.append(len(refreshes))
        if len(refreshes) == 3:
            done.set()
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    with watched(done, refresh_metadata) as commit:
        commit(force=True)
    assert len(refreshes) >= 3


def test_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit longer than limits.POLL_TIMEOUT calls `on_timeout`, once."""
    monkeypatch.setattr(limits, "POLL_TIMEOUT", 0.1)
    monkeypatch.setattr(commits, "_CHECK_INTERVAL", 0.001)
    done, timed_out = threading.Event(), threading.Event()
    times: list[float] = []

    def on_timeout() -> None:
        times.append(time.monotonic())
        timed_out.set()

    def end_after_timeout() -> None:
        timed_out.wait(60)
        done.set()

    threads = set(threading.enumerate())
    with watched(done, on_timeout=on_timeout) as commit:
        begun = time.monotonic()
        threading.Thread(target=end_after_timeout).start()
        commit(force=True, revoking=True)
    (at,) = times
    assert at - begun > 0.1
    wait_until(lambda: set(threading.enumerate()) <= threads, "the threads end")


def test_short_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a commit has ended or failed, nothing is called. The commit's error is passed on."""
    monkeypatch.setattr(limits, "METADATA_REFRESH_AFTER", 0.2)
    monkeypatch.setattr(limits, "POLL_TIMEOUT", 0.3)
    monkeypatch.setattr(commits, "_CHECK_INTERVAL", 0.001)
    called = threading.Event()
    with (
        CommitWatchdog(lambda: None, called.set, called.set) as short,
        CommitWatchdog(refuse, called.set, called.set) as refused,
    ):
        short()
        with pytest.raises(KafkaException):
            refused()
        assert not called.wait(0.5)


def test_refresh_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """During a commit, the metadata are refreshed every limits.METADATA_REFRESH_AFTER. Then the thread ends."""
    now, asked = 100.0, 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return now

    def refreshes_by(moment: float) -> int:
        """The number of refreshes after several checks at this time."""
        nonlocal now
        now, before = moment, asked
        wait_until(lambda: asked > before + 10, "it asks for the time")
        return len(refreshes)

    def call() -> None:
        counted.extend(refreshes_by(100 + after) for after in (0.0, 6.9, 7.1, 14.0, 14.2, 21.1, 21.3))

    monkeypatch.setattr(commits, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(commits, "_CHECK_INTERVAL", 0.001)
    refreshes: list[float] = []
    counted: list[int] = []
    threads = set(threading.enumerate())
    with CommitWatchdog(call, lambda: refreshes.append(now), bool) as watched:
        watched()
    assert counted == [0, 0, 1, 1, 2, 2, 3]
    monkeypatch.undo()
    wait_until(lambda: set(threading.enumerate()) <= threads, "the thread ends")


def refuse(**_: bool) -> None:
    """Raise what a fenced producer does."""
    raise KafkaException(KafkaError(KafkaError._FENCED))
