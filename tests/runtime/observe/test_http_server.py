"""What the HTTP server answers, and what it refuses to hold."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection

import pytest

from runtime import __version__, limits
from runtime.observe.http_server import MAX_CONNECTIONS, MAX_REQUEST, serve
from runtime.observe.response import Response
from tests.kafka import TIMEOUT
from tools.waiting import wait_until

PAGES = {
    "/live": lambda _: Response(HTTPStatus.OK, "ok\n"),
    "/ready": lambda _: Response(HTTPStatus.SERVICE_UNAVAILABLE, "no\u00a0broker\n"),
}
ELSEWHERE = b"ask for /live or /ready\n"


@pytest.fixture
def port(capfd: pytest.CaptureFixture[str], free_port: int) -> Iterator[int]:
    """The port of a server, which prints nothing about its clients."""
    with serve(PAGES, "", free_port):
        yield free_port
    printed = "".join(capfd.readouterr())
    assert [line for line in printed.splitlines() if "rdkafka#" not in line] == [], "other tests' clients may print"


def ask(port: int, method: str, path: str, host: str = "127.0.0.1") -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of an answer."""
    with closing(HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
        connection.request(method, path, body=b"x" * 100 if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


def connect(port: int) -> socket.socket:
    """A client that has sent nothing yet."""
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed this connection, all answers read."""
    client.settimeout(0.0)
    try:
        while client.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/live", 200, b"ok\n"),
        ("GET", "/live?", 200, b"ok\n"),
        ("GET", "/ready", 503, "no\u00a0broker\n".encode()),
        ("GET", "/ready?x=1", 503, "no\u00a0broker\n".encode()),
        ("GET", "/", 404, ELSEWHERE),
        ("GET", "/live/", 404, ELSEWHERE),
        ("GET", "/../live", 404, ELSEWHERE),
        ("POST", "/", 404, ELSEWHERE),
        ("POST", "/live", 405, b"ask with GET or HEAD\n"),
        ("DELETE", "/ready?x=1", 405, b"ask with GET or HEAD\n"),
    ],
)
def test_answers(port: int, method: str, path: str, status: int, body: bytes) -> None:
    """A page answers GET with any query. Another path is 404 and another method 405."""
    assert ask(port, method, path)[:2] == (status, body)


@pytest.mark.parametrize("path", ["/live", "/ready?x=1", "/elsewhere"])
def test_head(port: int, path: str) -> None:
    """HEAD answers as GET does, without the body."""
    status, body, headers = ask(port, "GET", path)
    assert ask(port, "HEAD", path)[:2] == (status, b"")
    assert ask(port, "HEAD", path)[2]["Content-Length"] == headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("path", ["/live", "/ready", "/elsewhere"])
def test_version(port: int, path: str) -> None:
    """Every answer's header says which version gives it."""
    assert ask(port, "GET", path)[2]["Server"] == f"user-login-pipeline/{__version__}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"])
def test_both_families(port: int, host: str) -> None:
    """It answers over IPv4 and, if the machine has it, over IPv6."""
    assert ask(port, "GET", "/live", host)[0] == HTTPStatus.OK


def test_not_http(port: int) -> None:
    """A client that sends something else than HTTP is answered with 400 or not at all, and others still get answers."""
    with connect(port) as client:
        client.sendall(b"\x00\xff\r\n\r\n")
        wait_until(lambda: is_closed(client), "the end of the connection")
    assert ask(port, "GET", "/live")[0] == HTTPStatus.OK


def test_large_headers(port: int) -> None:
    """Headers beyond the limit are refused while they arrive, and nothing more of them is read."""
    with connect(port) as client:
        client.sendall(b"GET /live HTTP/1.1\r\nX: " + b"x" * MAX_REQUEST)
        assert client.recv(100).startswith(b"HTTP/1.0 431 ")
        wait_until(lambda: is_closed(client), "the end of the connection")


def test_large_body(port: int) -> None:
    """A body beyond the limit is refused before it is sent."""
    with connect(port) as client:
        client.sendall(b"POST /live HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_REQUEST + 1))
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_many_clients(port: int) -> None:
    """Of clients that never end their headers, only so many are kept, and a probe still gets its answer."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(4 * MAX_CONNECTIONS)]
        for client in clients:
            with suppress(OSError):  # it is closed already
                client.sendall(b"GET /live HTTP/1.1\r\nX: " + b"x" * (MAX_REQUEST // 2))
        wait_until(lambda: sum(not is_closed(client) for client in clients) <= MAX_CONNECTIONS, "the bound to hold")
        assert ask(port, "GET", "/live")[0] == HTTPStatus.OK


def test_one_answer(port: int) -> None:
    """A connection has one answer, however many requests the client sends: answers must not fill the memory."""
    with connect(port) as client:
        client.sendall(b"GET /live HTTP/1.1\r\n\r\n" * 30)
        received = b""
        with suppress(ConnectionResetError):  # the rest was not read
            while part := client.recv(65_536):
                received += part
        assert received.count(b"HTTP/1.1 200 ") == 1
        assert b"Connection: close\r\n" in received


def test_accept(free_port: int) -> None:
    """A page knows which format the client asks for."""
    with (
        serve({"/": lambda accept: Response(HTTPStatus.OK, accept)}, "", free_port),
        closing(HTTPConnection("127.0.0.1", free_port, timeout=TIMEOUT)) as connection,
    ):
        connection.request("GET", "/", headers={"Accept": "application/openmetrics-text"})
        assert connection.getresponse().read() == b"application/openmetrics-text"


@pytest.mark.parametrize("path", ["/live", "/elsewhere"])
def test_browser(port: int, path: str) -> None:
    """A browser runs nothing of an answer, guesses no type, and keeps nothing."""
    headers = ask(port, "GET", path)[2]
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("host", "others"), [("127.0.0.1", ["::1"]), ("::1", ["127.0.0.1"])])
def test_one_address(host: str, others: list[str], free_port: int) -> None:
    """With a host, it listens only there."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with serve(PAGES, host, free_port):
        assert ask(free_port, "GET", "/live", host)[0] == HTTPStatus.OK
        for other in others:
            with pytest.raises(ConnectionRefusedError):
                ask(free_port, "GET", "/live", other)


def test_slow_client(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """A client that slowly sends bytes does not block others, and is disconnected after limits.CONNECTION_MAX_AGE."""
    with connect(port) as client:
        client.sendall(b"GET /live HTTP/1.1\r\n")
        assert ask(port, "GET", "/live")[0] == HTTPStatus.OK
        monkeypatch.setattr(limits, "CONNECTION_MAX_AGE", 1.0)

        def is_refused() -> bool:
            try:
                client.sendall(b"x")
            except OSError:
                return True
            return is_closed(client)

        wait_until(is_refused, "the end of the connection")


def test_clients_that_do_not_read(port: int) -> None:
    """Clients that send requests without end, and read no answer, keep no other client from one."""
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            client = stack.enter_context(connect(port))
            client.settimeout(0.0)
            with suppress(OSError):
                while client.send(b"GET /live HTTP/1.1\r\n\r\n" * 1_000):
                    pass
        assert ask(port, "GET", "/live")[0] == HTTPStatus.OK


def test_stop(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops without waiting for its clients, and the port is free again."""
    monkeypatch.setattr(limits, "HTTP_THREAD_TIMEOUT", 4 * TIMEOUT)
    with ExitStack() as stack:
        for number in (free_port, free_port):
            with serve(PAGES, "", number):
                silent, unfinished, idle = (stack.enter_context(connect(number)) for _ in range(3))
                unfinished.sendall(b"GET /live HTT")
                idle.sendall(b"GET /live HTTP/1.1\r\n\r\n")
                assert idle.recv(100).startswith(b"HTTP/1.1 200 ")
                start = time.monotonic()
            assert time.monotonic() - start < limits.HTTP_THREAD_TIMEOUT / 2
            for client in (silent, unfinished, idle):
                wait_until(partial(is_closed, client), "the end of the connection")
