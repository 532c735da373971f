"""Says over HTTP whether the loop turns and records flow, from a thread that a stuck loop does not silence.

    /live   200 while the loop has turned within LIVE_WITHIN seconds: if not, a restart is what helps.
    /ready  200 while it has turned within READY_WITHIN seconds and no check names a problem: if not, the body says why.

While the broker is away and Quix still tries, a pipeline is live but not ready: a restart would not bring it back. No
answer at all is to be taken as 503: code that holds Python's lock for good, or a stopped process, silences any thread.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, has_dualstack_ipv6
from socketserver import TCPServer
from threading import Thread

from loguru import logger

from runtime.errors import Misconfigured

LIVE_WITHIN = 180.0
"""Seconds; above what a turn may wait for a broker (a flush 60 s, then a commit three times, up to 31 s each, with the
default COMMIT_INTERVAL) before the pipeline ends itself."""

READY_WITHIN = 15.0
"""Seconds; far above a usual turn, which takes less than one."""


class Health:
    """What is wrong with the loop, if anything.

    Args:
        check: names further problems, a line each, for /ready.
        clock: seconds, never going back.
    """

    def __init__(self, check: Callable[[], list[str]] = list, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._turned = clock()

    def beat(self) -> None:
        """Note that the loop turns."""
        self._turned = self._clock()

    def live(self) -> list[str]:
        """Why a restart would help, if it would."""
        return self._stuck(LIVE_WITHIN)

    def ready(self) -> list[str]:
        """Why no record gets through, if none does."""
        return self._stuck(READY_WITHIN) or self._check()

    @contextmanager
    def served(self, port: int) -> Iterator[None]:
        """Answer on this port of all interfaces, of the container or the machine; 0 for not at all.

        Raises:
            Misconfigured: the port is taken, or not ours to take.
        """
        if not port:
            yield
            return
        self.beat()
        try:
            server = _Server(port, {"/live": self.live, "/ready": self.ready})
        except OSError as error:
            raise Misconfigured(f"HEALTH_PORT is {port}, but that port can't be had: {error.strerror}") from error
        with server:
            Thread(target=server.serve_forever, args=(0.1,), name="health", daemon=True).start()
            try:
                yield
            finally:
                server.shutdown()

    def _stuck(self, limit: float) -> list[str]:
        seconds = self._clock() - self._turned
        return [f"the loop has not turned for {seconds:.0f} s"] if seconds > limit else []


class _Server(ThreadingHTTPServer):
    address_family = AF_INET6 if has_dualstack_ipv6() else AF_INET

    def __init__(self, port: int, pages: dict[str, Callable[[], list[str]]]) -> None:
        self.pages = pages
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        """Listen for IPv4, too, and ask no name server for our name, as HTTPServer would."""
        if self.address_family == AF_INET6:
            self.socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)

    def handle_error(self, _request: object, client_address: object) -> None:
        logger.opt(exception=True).debug("the health check of {} failed", client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "health"
    sys_version = ""
    timeout = 5.0

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path)
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, [f"ask for {' or '.join(self.server.pages)}"])
        else:
            problems = page()
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK, problems or ["ok"])

    def log_message(self, *_: object) -> None:
        """Leave the log to the pipeline."""

    def _answer(self, status: HTTPStatus, lines: list[str]) -> None:
        body = "".join(f"{line}\n" for line in lines).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
