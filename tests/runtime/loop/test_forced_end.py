"""The last line of a process that did not stop in time. For slow brokers, see tests/pipeline/test_slow_stop.py."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.causes import Causes
from runtime.errors import Failed, Misconfigured, Refused, Unavailable
from runtime.loop import forced_end
from runtime.loop.forced_end import ForcedEnd
from tests.kafka import Kafka

End = tuple[int, str]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> list[End]:
    """The exit codes and the last lines of the processes that would have ended."""
    ended: list[End] = []

    def end(code: int, log_error: Callable[[], object]) -> None:
        log_error()
        ended.append((code, lines[-1]))

    monkeypatch.setattr(forced_end, "end_by_force", end)
    return ended


def forced(address: str, *, failure: Exception | None = None, is_leaving: bool = False) -> ForcedEnd:
    """The forced end of a pipeline on this broker."""
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers=address))
    return ForcedEnd(broker, Causes(broker, "forced"), lambda: failure, lambda: is_leaving)


@pytest.mark.parametrize(
    ("is_leaving", "said"),
    [
        (False, "did not accept all records and the commit; ended by force after 55 s"),
        (True, "did not let this worker leave the consumer group; ended by force after 55 s"),
    ],
)
def test_answers(kafka: Kafka, ends: list[End], said: str, *, is_leaving: bool) -> None:
    """If a broker answers, the line says what was waited for."""
    late = forced(kafka.address, is_leaving=is_leaving)
    late._find_cause()
    late._end(55.0)
    ((code, line),) = ends
    assert code == 69
    assert f"asked to stop, but the broker {said}" in line


def test_no_broker(monkeypatch: pytest.MonkeyPatch, ends: list[End], free_port: int) -> None:
    """If no broker answers, the line says so."""
    monkeypatch.setattr(limits, "STOP_CAUSE_TIMEOUT", 0.1)
    late = forced(f"127.0.0.1:{free_port}")
    late._find_cause()
    late._end(55.0)
    ((code, line),) = ends
    assert code == 69
    assert "asked to stop, but no broker answers; ended by force" in line


def test_cause(monkeypatch: pytest.MonkeyPatch, ends: list[End], kafka: Kafka) -> None:
    """The cause is in the line if it can be found, and a failure comes before it."""
    monkeypatch.setattr(Causes, "find", lambda *_: Misconfigured("this is why"))
    for failure in (None, Failed("it failed")):
        late = forced(kafka.address, failure=failure)
        late._find_cause()
        late._end(55.0)
    (first, second) = ends
    assert (first[0], second[0]) == (78, 70)
    assert "this is why; ended by force" in first[1]
    assert "it failed; ended by force" in second[1]


@pytest.mark.parametrize(
    ("refusal", "codes"), [(Refused("why"), [77]), (Unavailable("why"), []), (Misconfigured("why"), []), (None, [])]
)
def test_refused(ends: list[End], refusal: Exception | None, codes: list[int]) -> None:
    """A shutdown that takes long ends with 77 if the broker refuses the credentials. Otherwise it has more time."""
    stand_in: Any = SimpleNamespace(refusal=lambda: refusal)
    broker = BrokerAdmin(ConnectionConfig(bootstrap_servers="127.0.0.1:1"))
    ForcedEnd(broker, stand_in, lambda: None, lambda: False)._end_if_refused()
    assert [code for code, _ in ends] == codes
