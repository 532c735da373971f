"""The loop's heartbeat, and the answers of /live and /ready."""

import socket
from http import HTTPStatus

import pytest

from runtime import limits
from runtime.errors import Misconfigured
from runtime.observe.health import Health
from runtime.observe.probe import ask
from runtime.observe.response import Response
from tests.runtime.clock import Clock

STUCK = "no loop iteration for {:.0f} s"


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
def test_since_the_last_iteration(seconds: float, *, live: bool, ready: bool) -> None:
    """It is ready, and live, for some time after each iteration. Then it gives the time since the last one."""
    clock = Clock()
    health = Health(clock=clock)
    clock.now += 10_000
    health.heartbeat()
    clock.now += seconds
    assert health.live() == ([] if live else [STUCK.format(seconds)])
    assert health.ready() == ([] if ready else [STUCK.format(seconds)])


def test_check() -> None:
    """A problem of the check makes it not ready, but live. If the loop hangs, only that is reported."""
    clock = Clock()
    health = Health(lambda: ["one", "two"], clock)
    assert health.ready() == ["one", "two"]
    assert health.live() == []
    clock.now += limits.READY_TIMEOUT + 1
    assert health.ready() == [STUCK.format(limits.READY_TIMEOUT + 1)]


def test_off() -> None:
    """Port 0 disables the endpoints."""
    with Health().served("", 0):
        pass


def test_served(free_port: int) -> None:
    """It answers with 200 or 503 and the reasons, one per line, from the start of the block to its end."""
    problems: list[str] = []
    assert not ask(free_port)[0]
    with Health(lambda: problems).served("", free_port):
        assert ask(free_port) == (True, "ok")
        problems[:] = ["one", "two"]
        assert ask(free_port) == (False, "one\ntwo")
    is_ready, answer = ask(free_port)
    assert not is_ready
    assert f"no answer on port {free_port}" in answer


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "Cannot assign requested address"),
        ("nowhere.invalid", ""),
        ("a" * 64, ""),
    ],
)
def test_wrong_host(host: str, reason: str, free_port: int) -> None:
    """A host that is no address of this machine is a wrong setting, and the error names it."""
    with pytest.raises(Misconfigured) as refused, Health().served(host, free_port):
        pass
    text = f"cannot listen on HTTP_PORT {free_port} of HTTP_HOST {host}: "
    assert str(refused.value).startswith(text + reason)
    assert len(str(refused.value)) > len(text)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize(
    ("host", "address"), [("", "localhost"), ("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")]
)
def test_address(host: str, address: str, free_port: int, lines: list[str]) -> None:
    """The log says what is served, and at which address."""
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with Health().served(host, free_port, lambda: {"/": lambda _: Response(HTTPStatus.OK, "page")}):
        assert ask(free_port, host)[1] == "ok"
    assert lines == [f"INFO serving / /live /ready at http://{address}:{free_port}/"]


def test_port_taken(free_port: int) -> None:
    """A port that is in use is a wrong setting, and the error names it."""
    with Health().served("", free_port), pytest.raises(Misconfigured) as refused, Health().served("", free_port):
        pass
    assert str(refused.value) == f"cannot listen on HTTP_PORT {free_port} of all addresses: Address already in use"
