"""What happens at an address: no listener, one that is silent, one that closes connections."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from runtime import limits
from runtime.connect.addresses import (
    CLOSES_AT_ONCE,
    BrokerAddress,
    brokers_away,
    closes_at_once,
    sends_elsewhere,
    unreachable,
    why_unusable,
)

HOST = "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("kafka:29092", ["kafka:29092"]),
        ("a:1, b:2,c", ["a:1", "b:2", "c:9092"]),
        ("SASL_SSL://a:1,[::1]:2", ["a:1", "[::1]:2"]),
        ("a:port,[,b:3", ["b:3"]),
    ],
)
def test_parse(text: str, addresses: list[str]) -> None:
    """Addresses of `bootstrap.servers` have Kafka's default port if they have none. Malformed ones are left out."""
    assert [f"{address}" for address in BrokerAddress.parse(text)] == addresses


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """The ports of an address without a listener, and of listeners: silent, closing all connections, or all but two."""
    with (
        closing(socket.socket()) as unused,
        socket.create_server((HOST, 0)) as silent,
        socket.create_server((HOST, 0)) as closes,
        socket.create_server((HOST, 0)) as limited,
    ):
        unused.bind((HOST, 0))

        def close(listener: socket.socket, kept: int) -> None:
            with ExitStack() as kept_open, suppress(OSError):  # until the test has ended
                for _ in range(kept):
                    kept_open.enter_context(listener.accept()[0])
                while True:
                    listener.accept()[0].close()

        for listener, kept in ((closes, 0), (limited, 2)):
            threading.Thread(target=close, args=(listener, kept), daemon=True).start()
        ends = {"unused": unused, "silent": silent, "closes": closes, "limited": limited}
        yield {name: int(end.getsockname()[1]) for name, end in ends.items()}
        for listener in (closes, limited):
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("name", "why"),
    [("unused", "refuses connections"), ("silent", ""), ("closes", CLOSES_AT_ONCE), ("limited", CLOSES_AT_ONCE)],
)
def test_why_unreachable(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
    """It says what connections meet, or nothing if as many as a worker needs open and stay open."""
    monkeypatch.setattr(limits, "CLOSED_AT_ONCE", 1.0)
    assert BrokerAddress(HOST, ports[name]).why_unreachable(stays_open=1.0) == why


@pytest.mark.parametrize("host", ["kafka.invalid", "a" * 64, ""])
def test_no_such_host(host: str) -> None:
    """A name that cannot be resolved, or that no host can have, is no exception."""
    assert BrokerAddress(host, 1).why_unreachable() in {"cannot be resolved", "refuses connections"}


def test_unreachable(ports: dict[str, int]) -> None:
    """One broker that can be reached is enough. Otherwise, each address has its reason."""
    dead, good = BrokerAddress(HOST, ports["unused"]), BrokerAddress(HOST, ports["silent"])
    assert unreachable([dead, good]) == {}
    assert unreachable([dead]) == {dead: "refuses connections"}


def test_why_unusable(ports: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses are tried, also those after one that can be used."""
    monkeypatch.setattr(limits, "CLOSED_AT_ONCE", 1.0)
    silent, closes, unused = (BrokerAddress(HOST, ports[name]) for name in ("silent", "closes", "unused"))
    expected = {silent: "", closes: CLOSES_AT_ONCE, unused: "refuses connections"}
    assert why_unusable([silent, closes, unused]) == expected


def test_errors() -> None:
    """The lines name the addresses and the broker's setting."""
    found = {BrokerAddress("kafka", 9092): "cannot be resolved", BrokerAddress("b", 1): "does not answer"}
    line = f"{sends_elsewhere('here:1', found)}"
    assert "here:1 answers, but sends clients to kafka:9092 (advertised.listeners), which cannot be resolved" in line
    assert "b:1 (advertised.listeners), which does not answer" in line
    assert "here:1 answer, except kafka:9092, which cannot be resolved, b:1" in f"{brokers_away('here:1', found)}"
    assert "max.connections.per.ip" in f"{closes_at_once('here:1')}"
