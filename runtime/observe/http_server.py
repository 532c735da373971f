"""An HTTP server for probes, metrics and the status page, in its own threads, with limits for clients.

waitress parses requests and limits their size. This module limits the number and the age of connections: waitress never
closes the connection of a client that slowly sends single bytes. A connection has one answer: a client that sends many
requests and reads no answer would otherwise fill the memory.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from socket import AF_INET, AF_INET6, SOCK_STREAM, create_server, getaddrinfo, has_dualstack_ipv6, socket
from threading import Thread
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer

from runtime import __version__, limits
from runtime.observe.response import Page, Response

MAX_CONNECTIONS = 32
"""One more closes the oldest, so open connections cannot lock out a probe."""

MAX_REQUEST = 8_192
"""The limit of a request's headers, and of its body, in bytes."""


@contextmanager
def serve(pages: Mapping[str, Page], host: str, port: int) -> Iterator[None]:
    """Answer GET and HEAD for these paths while the block runs.

    Args:
        pages: by path.
        host: the address to listen on; if empty, all addresses, of IPv4 and IPv6.
        port: the port to listen on.

    Raises:
        OSError: the host is no address of this machine; the port is in use or not permitted.
    """
    listener = _listen(host, port)
    for name in ("waitress", "waitress.queue"):
        logging.getLogger(name).addFilter(_as_debug)
    server = _Server(_application(pages), listener)
    thread = Thread(target=server.run, name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join(limits.HTTP_THREAD_TIMEOUT)


def _listen(host: str, port: int) -> socket:
    if host:
        (family, *_), *_ = getaddrinfo(host, port, type=SOCK_STREAM)
        return create_server((host, port), family=family)
    ipv6 = has_dualstack_ipv6()
    return create_server(("", port), family=AF_INET6 if ipv6 else AF_INET, dualstack_ipv6=ipv6)


def _application(pages: Mapping[str, Page]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, page = environ["REQUEST_METHOD"], pages.get(environ["PATH_INFO"])
        if page is None:
            response = Response(HTTPStatus.NOT_FOUND, f"ask for {' or '.join(pages)}\n")
        elif method not in {"GET", "HEAD"}:
            response = Response(HTTPStatus.METHOD_NOT_ALLOWED, "ask with GET or HEAD\n")
        else:
            response = page(environ.get("HTTP_ACCEPT", ""))
        body = response.body.encode()
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", response.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Allow", "GET, HEAD"),
        ]
        start_response(f"{response.status.value} {response.status.phrase}", headers)
        return [] if method == "HEAD" else [body]

    return application


class _Request(HTTPRequestParser):  # type: ignore[misc]
    def parse_header(self, header_plus: bytes) -> None:
        """Take the headers, as if the client asked to close the connection after the answer."""
        super().parse_header(header_plus)
        self.headers["CONNECTION"] = "close"


class _Connection(HTTPChannel):  # type: ignore[misc]
    parser_class = _Request


class _Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    channel_class = _Connection

    def __init__(self, application: WSGIApplication, listener: socket) -> None:
        adjustments = Adjustments(
            sockets=[listener],
            threads=1,
            connection_limit=2 * MAX_CONNECTIONS,  # never reached: MAX_CONNECTIONS is lower
            cleanup_interval=1,
            max_request_header_size=MAX_REQUEST,
            max_request_body_size=MAX_REQUEST,
            recv_bytes=1_024,  # limits how many requests are parsed at once
            asyncore_use_poll=True,  # select refuses file descriptors above 1,023
            ident=f"user-login-pipeline/{__version__}",
        )
        address = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(application, _sock=listener, adj=adjustments, sockinfo=address, bind_socket=False)

    def handle_accept(self) -> None:
        """Accept a connection, and close the oldest if there are too many."""
        super().handle_accept()
        if len(self.active_channels) > MAX_CONNECTIONS:
            next(iter(self.active_channels.values())).handle_close()

    def maintenance(self, now: float) -> None:
        """Close old connections. waitress calls this every second."""
        for channel in list(self.active_channels.values()):
            if now - channel.creation_time > limits.CONNECTION_MAX_AGE:
                channel.handle_close()

    def stop(self) -> None:
        """End `run`, which another thread executes."""
        self.task_dispatcher.shutdown(
            timeout=limits.HTTP_THREAD_TIMEOUT
        )  # first: it uses the trigger, which is closed next
        self.trigger.pull_trigger(lambda: wasyncore.close_all(self._map))


def _as_debug(record: logging.LogRecord) -> bool:
    """Log waitress's messages about clients at DEBUG."""
    record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
    return True
