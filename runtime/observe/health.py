"""Serves /live and /ready over HTTP, from a thread that answers even if the loop hangs.

    /live   200 if the loop had an iteration within limits.LIVE_TIMEOUT; otherwise a restart helps.
    /ready  200 if it had one within limits.READY_TIMEOUT and the check finds no problem; the body lists problems.

While no broker answers and Quix retries, the pipeline is live but not ready: a restart would not help. A probe must
take no answer as 503: a stopped process, or code that never releases Python's global lock, cannot answer.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from runtime import limits
from runtime.errors import Misconfigured
from runtime.observe.http_server import Response, serve


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
        """Why a restart would help; empty if it would not."""
        return self._hanging(limits.LIVE_TIMEOUT)

    def ready(self) -> list[str]:
        """Why no records are processed; empty if they are, or if there are none."""
        return self._hanging(limits.READY_TIMEOUT) or self._check()

    @contextmanager
    def served(self, port: int) -> Iterator[None]:
        """Answer on this port of all interfaces while the block runs; 0 disables it.

        Raises:
            Misconfigured: the port is in use or not permitted.
        """
        if not port:
            yield
            return
        self.heartbeat()
        with ExitStack() as stack:
            try:
                stack.enter_context(serve({"/live": _page(self.live), "/ready": _page(self.ready)}, port))
            except OSError as error:
                reason = os.strerror(error.errno or 0)  # without the address, which its text contains
                raise Misconfigured(f"cannot listen on HEALTH_PORT {port}: {reason}") from error
            yield

    def _hanging(self, limit: float) -> list[str]:
        seconds = self._clock() - self._last_iteration
        return [f"no loop iteration for {seconds:.0f} s"] if seconds > limit else []


def _page(problems: Callable[[], list[str]]) -> Callable[[], Response]:
    """A page that lists these problems, one per line, or says `ok`."""

    def page() -> Response:
        lines = problems()
        status = HTTPStatus.SERVICE_UNAVAILABLE if lines else HTTPStatus.OK
        return Response(status, "".join(f"{line}\n" for line in lines or ["ok"]))

    return page
