"""Serves /live, /ready and other pages over HTTP, from a thread that answers even if the loop hangs.

    /live   200 if the loop had an iteration within limits.LIVE_TIMEOUT; otherwise a restart helps.
    /ready  200 if it had one within limits.READY_TIMEOUT and the check finds no problem; the body lists problems.

While no broker answers and Quix retries, the pipeline is live but not ready: a restart would not help. A probe must
take no answer as 503: a stopped process, or code that never releases Python's global lock, cannot answer.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from socket import gaierror

from loguru import logger

from runtime import limits
from runtime.errors import Misconfigured
from runtime.observe.response import Page, Response

_ALL = {"", "0.0.0.0", "::"}  # noqa: S104  (compared)


class Health:
    """The state of the loop.

    Args:
        check: gives further problems for /ready, one line each.
        clock: seconds, monotonic.
    """

    def __init__(self, check: Callable[[], list[str]] = list, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._last_iteration = clock()

    def heartbeat(self) -> None:
        """Record an iteration of the loop."""
        self._last_iteration = self._clock()

    def live(self) -> list[str]:
        """Why a restart would help, or nothing if it would not."""
        return self.hanging(limits.LIVE_TIMEOUT)

    def ready(self) -> list[str]:
        """Why no records are processed, or nothing if they are processed or if there are none."""
        return self.hanging(limits.READY_TIMEOUT) or self._check()

    @contextmanager
    def served(self, host: str, port: int, pages: Callable[[], Mapping[str, Page]] = dict) -> Iterator[None]:
        """Answer while the block runs.

        Args:
            host: the address to listen on; if empty, all addresses.
            port: the port to listen on; 0 disables it.
            pages: gives the other pages.

        Raises:
            Misconfigured: the host is no address of this machine; the port is in use or not permitted.
        """
        if not port:
            yield
            return
        from runtime.observe.http_server import serve  # noqa: PLC0415  (without a port, nothing needs it)

        self.heartbeat()
        all_pages = {**pages(), "/live": _page(self.live), "/ready": _page(self.ready)}
        with ExitStack() as stack:
            try:
                stack.enter_context(serve(all_pages, host, port))
            except (OSError, UnicodeError) as error:
                place = f"HTTP_HOST {host}" if host else "all addresses"
                raise Misconfigured(f"cannot listen on HTTP_PORT {port} of {place}: {_reason(error)}") from error
            shown = host if host not in _ALL else "localhost"
            address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
            logger.info("serving {} at {}", " ".join(all_pages), address)
            yield

    def hanging(self, limit: float) -> list[str]:
        """How long the last iteration ago is, if it is longer than a limit in seconds."""
        seconds = self._clock() - self._last_iteration
        return [f"no loop iteration for {seconds:.0f} s"] if seconds > limit else []


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, gaierror):
        return error.strerror or str(error)
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)  # without the address, which its text contains
    return "it is no host name"


def _page(problems: Callable[[], list[str]]) -> Page:
    """A page that lists these problems, one per line, or says `ok`."""

    def page(_accept: str) -> Response:
        lines = problems()
        status = HTTPStatus.SERVICE_UNAVAILABLE if lines else HTTPStatus.OK
        return Response(status, "".join(f"{line}\n" for line in lines or ["ok"]))

    return page
