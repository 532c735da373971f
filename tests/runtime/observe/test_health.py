"""The loop's heartbeat, and what /live and /ready make of it, by a clock of the test's own."""

import socket

import pytest

from runtime import limits
from runtime.errors import Misconfigured
from runtime.observe.health import Health
from runtime.observe.probe import ask, main

STUCK = "no loop iteration for {:.0f} s"


class Clock:
    """A clock that stands still until it is told otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "live", "ready"),
    [
        (0.0, True, True),
        (limits.READY_TIMEOUT, True, True),
        (limits.READY_TIMEOUT + 1, True, False),
        (limits.LIVE_TIMEOUT, True, False),
        (limits.LIVE_TIMEOUT + 1, False, False),
    ],
)
def test_since_the_last_turn(seconds: float, *, live: bool, ready: bool) -> None:
    """It is ready, and live, for so many seconds after each turn of the loop, and says since when it has not turned."""
    clock = Clock()
    health = Health(clock=clock)
    clock.now += 10_000
    health.heartbeat()
    clock.now += seconds
    assert health.live() == ([] if live else [STUCK.format(seconds)])
    assert health.ready() == ([] if ready else [STUCK.format(seconds)])


def test_check() -> None:
    """What the check names makes it not ready, and no less live; of a loop that hangs, only that is said."""
    clock = Clock()
    health = Health(lambda: ["one", "two"], clock)
    assert health.ready() == ["one", "two"]
    assert health.live() == []
    clock.now += limits.READY_TIMEOUT + 1
    assert health.ready() == [STUCK.format(limits.READY_TIMEOUT + 1)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number: int = taken.getsockname()[1]
        return number


def test_off() -> None:
    """Port 0: nobody listens."""
    with Health().served(0):
        pass


def test_served() -> None:
    """It answers with 200 or 503 and the reasons, one per line, from the start of the block to its end."""
    problems: list[str] = []
    port = free_port()
    assert not ask(port)[0]
    with Health(lambda: problems).served(port):
        assert ask(port) == (True, "ok")
        problems[:] = ["one", "two"]
        assert ask(port) == (False, "one\ntwo")
    is_ready, answer = ask(port)
    assert not is_ready
    assert f"no answer on port {port}" in answer


def test_port_taken() -> None:
    """A port that is in use is a wrong setting, and the error names it."""
    port = free_port()
    with Health().served(port), pytest.raises(Misconfigured) as refused, Health().served(port):
        pass
    assert str(refused.value) == f"cannot listen on HEALTH_PORT {port}: Address already in use"


@pytest.mark.parametrize(
    ("problems", "code", "said"), [([], 0, "ok\n"), (["partition 1 stands"], 1, "partition 1 stands\n")]
)
def test_probe(
    problems: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image's health check says what /ready says, and ends in 0 or 1 accordingly."""
    port = free_port()
    monkeypatch.setenv("HEALTH_PORT", str(port))
    with Health(lambda: problems).served(port):
        assert main() == code
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("value", ["0", "", None])
def test_probe_off(value: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the endpoints are off, the health check has nothing to object to, and says so."""
    monkeypatch.delenv("HEALTH_PORT", raising=False)
    if value is not None:
        monkeypatch.setenv("HEALTH_PORT", value)
    assert main() == 0
    assert capsys.readouterr().out == "not checked: HEALTH_PORT is 0\n"
