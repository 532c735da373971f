"""How a checkpoint ends, with stand-ins for Quix's context and the clients."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from quixstreams.kafka.exceptions import KafkaProducerDeliveryError

from runtime import limits
from runtime.connect.timestamp_limits import TimestampLimits
from runtime.errors import Misconfigured, OutputTooSlow
from runtime.loop.checkpoints import Checkpoints
from runtime.loop.transaction_size import FIRST, TransactionSize
from runtime.observe.counters import Totals


class World:
    """All that a checkpoint has to do with; `steps` has what was done, in order."""

    def __init__(self, *, exactly_once: bool = True, config: dict[str, str] | None = None) -> None:
        self.steps: list[str] = []
        self.handled = 100
        self.unsent = 0
        self.is_due = self.is_full = False
        self.failures: dict[str, Exception] = {}
        self.totals = Totals()
        self.totals.uncommitted = self.handled
        self.size = TransactionSize()
        context = SimpleNamespace(
            exactly_once=exactly_once,
            checkpoint=SimpleNamespace(expired=lambda: self.is_due, empty=lambda: not self.handled),
            commit_checkpoint=lambda **_: self.do("commit"),
            init_checkpoint=lambda: self.do("begin transaction"),
            producer=SimpleNamespace(flush=lambda _: self.do("flush") or self.unsent),
        )
        batches = SimpleNamespace(
            handled=self.handled, attempted=self.handled, begin=self.begin, size=self.size, is_full=False
        )
        ids = SimpleNamespace(
            ask=lambda: self.do("ask"),
            check=lambda: self.do("check"),
            check_now=lambda: self.do("check now"),
            check_now_and_then=lambda: self.do("look"),
        )
        renewal = SimpleNamespace(discard=lambda: self.do("discard"))
        output = SimpleNamespace(timestamps=TimestampLimits(config or {}), totals=self.totals)
        self.batches = batches
        parts = (context, renewal, batches, ids, output)
        self.checkpoints = Checkpoints(*(cast("Any", part) for part in parts))

    def do(self, step: str) -> Any:
        """Note a step, which may fail."""
        self.steps.append(step)
        if step in self.failures:
            raise self.failures[step]

    def begin(self, *, again: bool = False) -> None:
        """Begin the next transaction."""
        self.do("read again" if again else "go on")


DONE = ["ask", "flush", "check", "commit", "go on"]
AGAIN = ["ask", "flush", "check now", "discard", "begin transaction", "read again"]
LIMITED = {"message.timestamp.after.max.ms": "3600000"}


def refused(code: int) -> KafkaProducerDeliveryError:
    """A delivery that failed."""
    return KafkaProducerDeliveryError(KafkaError(code))


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({}, []),
        ({"is_due": True}, DONE),
        ({"is_full": True}, DONE),
        ({"force": True}, DONE),
        ({"is_due": True, "handled": 0}, ["look", "commit", "go on"]),
    ],
)
def test_end(change: dict[str, Any], steps: list[str]) -> None:
    """A checkpoint ends if it is due: what is delivered is committed once the topics are known to be the same."""
    world = World()
    world.is_due, world.handled = change.get("is_due", False), change.get("handled", 100)
    world.batches.is_full = change.get("is_full", False)
    world.checkpoints.end(force=change.get("force", False))
    assert world.steps == steps
    assert world.totals.committed == (100 if steps == DONE else 0)


@pytest.mark.parametrize("failures", [{"check"}, {"flush", "check now"}])
def test_replaced_topic(failures: set[str]) -> None:
    """If a topic is another one by then, that is told, and nothing is committed."""
    world = World()
    world.failures = {step: Misconfigured("deleted") if "check" in step else TIMED_OUT for step in failures}
    with pytest.raises(Misconfigured):
        world.checkpoints.end(force=True)
    assert "commit" not in world.steps
    assert world.totals.committed == 0


TIMED_OUT = refused(KafkaError._MSG_TIMED_OUT)


def fail(world: World, error: Exception | None) -> None:
    """Let the flush fail with this error, or end without all records being taken."""
    world.unsent = 0 if error else 7
    if error:
        world.failures["flush"] = error


TOO_SLOW = [None, TIMED_OUT]


@pytest.mark.parametrize("error", TOO_SLOW)
def test_too_slow(error: Exception | None) -> None:
    """A transaction that the broker does not take in time is given up and done again with fewer records."""
    world = World()
    fail(world, error)
    world.checkpoints.end(force=True)
    assert world.steps == AGAIN
    assert world.size.records == 25
    assert str(world.totals) == "0 in, 0 out, 0 malformed"


@pytest.mark.parametrize("error", TOO_SLOW)
@pytest.mark.parametrize(("exactly_once", "no_progress_within"), [(True, -1.0), (False, 60.0)])
def test_too_slow_for_too_long(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, no_progress_within: float, *, exactly_once: bool
) -> None:
    """It is not done again without end, nor if that would write records twice."""
    monkeypatch.setattr(limits, "NO_PROGRESS_TIMEOUT", no_progress_within)
    world = World(exactly_once=exactly_once)
    fail(world, error)
    with pytest.raises((OutputTooSlow, KafkaProducerDeliveryError)):
        world.checkpoints.end(force=True)
    assert world.steps == ["ask", "flush", "check now"]


@pytest.mark.parametrize("exactly_once", [True, False])
@pytest.mark.parametrize(
    "code", [KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD]
)
def test_refused_timestamp(code: int, *, exactly_once: bool) -> None:
    """If the broker refuses a timestamp all the same, it is done again with a wider margin."""
    world = World(exactly_once=exactly_once, config=LIMITED)
    world.failures["flush"] = refused(code)
    timestamps = world.checkpoints._output.timestamps
    timestamps.update()
    before = timestamps.newest
    world.checkpoints.end(force=True)
    assert world.steps == AGAIN
    assert timestamps.newest < before
    assert world.size.records == FIRST


@pytest.mark.parametrize(
    ("code", "config"),
    [(KafkaError.INVALID_RECORD, {}), (KafkaError.MSG_SIZE_TOO_LARGE, LIMITED), (KafkaError._FENCED, LIMITED)],
)
def test_other_refusals(code: int, config: dict[str, str]) -> None:
    """What no wider margin helps against stops the pipeline."""
    world = World(config=config)
    world.failures["flush"] = refused(code)
    with pytest.raises(KafkaProducerDeliveryError):
        world.checkpoints.end(force=True)
    assert world.steps == ["ask", "flush", "check now"]


@pytest.mark.parametrize(
    "error",
    [
        refused(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER),
        refused(KafkaError._FATAL),
        SystemError("<method 'flush' of 'cimpl.Producer' objects> returned NULL without setting an exception"),
    ],
)
def test_producer_failed(error: Exception) -> None:
    """A fatal error of the producer ends the producer, not the process: the batch is done again with a new one."""
    world = World()
    world.failures["flush"] = error
    world.checkpoints.end(force=True)
    assert world.steps == AGAIN
    assert world.size.records == FIRST
