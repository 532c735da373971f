"""The end of a checkpoint, with fakes for Quix's context and the clients."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError

from runtime import limits
from runtime.connect.timestamp_limits import TimestampLimits
from runtime.errors import Misconfigured, OutputTooSlow
from runtime.loop import checkpoints
from runtime.loop.checkpoints import Checkpoints
from runtime.loop.transaction_size import FIRST, TransactionSize
from runtime.observe.counters import Totals
from runtime.stop.signals import stop_request


class Harness:
    """Checkpoints with fakes for all they use. `steps` lists the calls, in order."""

    def __init__(self, *, exactly_once: bool = True, config: dict[str, str] | None = None) -> None:
        self.steps: list[str] = []
        self.handled = 100
        self.unsent = 0
        self.are_committed = False
        self.is_due = self.is_commit_due = False
        self.failures: dict[str, Exception] = {}
        self.totals = Totals()
        self.totals.records.uncommitted = self.handled
        self.size = TransactionSize()
        context = SimpleNamespace(
            exactly_once=exactly_once,
            checkpoint=SimpleNamespace(expired=lambda: self.is_due, empty=lambda: not self.handled),
            commit_checkpoint=lambda **_: self.do("commit"),
            init_checkpoint=lambda: self.do("begin transaction"),
            producer=SimpleNamespace(flush=lambda _: self.do("flush") or self.unsent),
        )
        batches = SimpleNamespace(
            handled=self.handled,
            attempted=self.handled,
            begin=lambda: self.do("begin"),
            rewind=lambda: self.do("rewind"),
            are_committed=lambda: self.do("ask the group") or self.are_committed,
            size=self.size,
            is_commit_due=False,
            revoked=False,
        )
        ids = SimpleNamespace(
            request=lambda: self.do("request ids"),
            check=lambda: self.do("check ids"),
            check_now=lambda: self.do("check ids now"),
            check_periodically=lambda: self.do("check ids periodically"),
        )
        renewal = SimpleNamespace(discard=lambda: self.do("discard"))
        self.timestamps = TimestampLimits(config or {})
        sink = SimpleNamespace(widen_margins=self.timestamps.widen_margin, totals=self.totals)
        self.batches = batches
        parts = (context, renewal, batches, ids, sink)
        self.checkpoints = Checkpoints(*(cast("Any", part) for part in parts))

    def do(self, step: str) -> Any:
        """Record a call, which may fail."""
        self.steps.append(step)
        if step in self.failures:
            raise self.failures[step]


DONE = ["request ids", "flush", "check ids", "commit", "begin"]
FAILED = ["request ids", "flush", "check ids now"]
RETRIED = [*FAILED, "discard", "begin transaction", "rewind"]
LIMITED = {"message.timestamp.after.max.ms": "3600000"}


def refused(code: int) -> KafkaProducerDeliveryError:
    """A delivery that failed."""
    return KafkaProducerDeliveryError(KafkaError(code))


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({}, []),
        ({"is_due": True}, DONE),
        ({"is_commit_due": True}, DONE),
        ({"force": True}, DONE),
        ({"is_due": True, "handled": 0}, ["check ids periodically", "commit", "begin"]),
    ],
)
def test_end(change: dict[str, Any], steps: list[str]) -> None:
    """A checkpoint ends if it is due: delivered records are committed after the topics' ids are confirmed."""
    harness = Harness()
    harness.is_due, harness.handled = change.get("is_due", False), change.get("handled", 100)
    harness.batches.is_commit_due = change.get("is_commit_due", False)
    harness.checkpoints.end(force=change.get("force", False))
    assert harness.steps == steps
    assert harness.totals.records.committed == (100 if steps == DONE else 0)


@pytest.mark.parametrize("failures", [{"check ids"}, {"flush", "check ids now"}])
def test_replaced_topic(failures: set[str]) -> None:
    """If a topic was replaced, that is the error, and nothing is committed."""
    harness = Harness()
    harness.failures = {step: Misconfigured("deleted") if "check" in step else TIMED_OUT for step in failures}
    with pytest.raises(Misconfigured):
        harness.checkpoints.end(force=True)
    assert "commit" not in harness.steps
    assert harness.totals.records.committed == 0


TIMED_OUT = refused(KafkaError._MSG_TIMED_OUT)


def fail(harness: Harness, error: Exception | None) -> None:
    """Make the flush fail with this error, or end before all records are accepted."""
    harness.unsent = 0 if error else 7
    if error:
        harness.failures["flush"] = error


TOO_SLOW = [None, TIMED_OUT]


@pytest.mark.parametrize("error", TOO_SLOW)
def test_too_slow(error: Exception | None) -> None:
    """A transaction that the broker does not accept in time is aborted and retried with fewer records."""
    harness = Harness()
    fail(harness, error)
    harness.checkpoints.end(force=True)
    assert harness.steps == RETRIED
    assert harness.size.records == 25
    assert str(harness.totals) == "100 in, 0 out, 0 malformed"
    assert harness.totals.checkpoint_failures == 1


@pytest.mark.parametrize("error", TOO_SLOW)
@pytest.mark.parametrize(("exactly_once", "no_progress_within"), [(True, -1.0), (False, 60.0)])
def test_too_slow_for_too_long(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, no_progress_within: float, *, exactly_once: bool
) -> None:
    """It is not retried forever, nor if that would write records twice."""
    monkeypatch.setattr(limits, "NO_PROGRESS_TIMEOUT", no_progress_within)
    harness = Harness(exactly_once=exactly_once)
    fail(harness, error)
    with pytest.raises((OutputTooSlow, KafkaProducerDeliveryError)):
        harness.checkpoints.end(force=True)
    assert harness.steps == FAILED


@pytest.mark.parametrize("exactly_once", [True, False])
@pytest.mark.parametrize(
    "code", [KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD]
)
def test_refused_timestamp(code: int, *, exactly_once: bool) -> None:
    """If the broker refuses a timestamp, the batch is retried with a wider margin."""
    harness = Harness(exactly_once=exactly_once, config=LIMITED)
    harness.failures["flush"] = refused(code)
    harness.timestamps.update()
    before = harness.timestamps.newest
    harness.checkpoints.end(force=True)
    assert harness.steps == RETRIED
    assert harness.timestamps.newest < before
    assert harness.size.records == FIRST


@pytest.mark.parametrize(
    ("code", "config"),
    [(KafkaError.INVALID_RECORD, {}), (KafkaError.MSG_SIZE_TOO_LARGE, LIMITED), (KafkaError._AUTHENTICATION, LIMITED)],
)
def test_other_refusals(code: int, config: dict[str, str]) -> None:
    """An error that a wider margin does not avoid stops the pipeline."""
    harness = Harness(config=config)
    harness.failures["flush"] = refused(code)
    with pytest.raises(KafkaProducerDeliveryError):
        harness.checkpoints.end(force=True)
    assert harness.steps == FAILED


@pytest.mark.parametrize(
    "error",
    [
        refused(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER),
        refused(KafkaError._FATAL),
        refused(KafkaError._FENCED),
        refused(KafkaError.PRODUCER_FENCED),
        refused(KafkaError.INVALID_PRODUCER_EPOCH),
        refused(KafkaError.INVALID_TXN_STATE),
        SystemError("<method 'flush' of 'cimpl.Producer' objects> returned NULL without setting an exception"),
    ],
)
def test_producer_failed(error: Exception) -> None:
    """An error that ends the producer does not end the process: the batch is retried with a new one."""
    harness = Harness()
    harness.failures["flush"] = error
    harness.checkpoints.end(force=True)
    assert harness.steps == RETRIED
    assert harness.size.records == FIRST


@pytest.mark.parametrize(
    "code", [KafkaError.INVALID_PRODUCER_ID_MAPPING, KafkaError._FENCED, KafkaError._FATAL, KafkaError.UNKNOWN]
)
@pytest.mark.parametrize("are_committed", [False, True])
def test_failed_commit(code: int, *, are_committed: bool) -> None:
    """A commit whose producer has expired or failed is repeated with a new one, unless the group has the offsets."""
    harness = Harness()
    harness.failures["commit"] = KafkaException(KafkaError(code))
    harness.are_committed = are_committed
    harness.checkpoints.end(force=True)
    last = "begin" if are_committed else "rewind"
    assert harness.steps == [*DONE[:4], *RETRIED[2:-1], "ask the group", last]
    assert harness.totals.records.committed == (100 if are_committed else 0)
    assert harness.totals.checkpoint_failures == (0 if are_committed else 1)


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.FENCED_INSTANCE_ID])
def test_refused_commit(code: int) -> None:
    """A commit that a new producer cannot repeat stops the pipeline."""
    harness = Harness()
    harness.failures["commit"] = KafkaException(KafkaError(code))
    with pytest.raises(KafkaException):
        harness.checkpoints.end(force=True)
    assert harness.steps == DONE[:4]


def test_failed_commit_at_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that fails after the request to stop is not repeated: its error tells why."""
    monkeypatch.setattr(stop_request, "requested", True)
    harness = Harness()
    harness.failures["commit"] = KafkaException(KafkaError(KafkaError._FENCED))
    with pytest.raises(KafkaException):
        harness.checkpoints.end(force=True)


def fail_and_idle(harness: Harness, rounds: int) -> None:
    """Let each commit of records fail, and let the next checkpoint end before one of them has arrived again."""
    failure = KafkaException(KafkaError(KafkaError._FENCED))
    for _ in range(rounds):
        harness.handled, harness.failures = 100, {"commit": failure}
        harness.checkpoints.end(force=True)
        harness.handled, harness.failures = 0, {}
        harness.checkpoints.end(force=True)


def test_failing_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits that fail again and again end the pipeline, even if empty ones succeed in between."""
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    harness = Harness()
    with pytest.raises(KafkaException):
        fail_and_idle(harness, rounds=10)
    assert harness.steps.count("rewind") < 5
