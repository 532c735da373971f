"""Says over HTTP whether the loop runs and records flow, from a thread that a stuck loop does not silence.

    /live   200 if the loop had an iteration within limits.LIVE_TIMEOUT; if not, a restart helps.
    /ready  200 if it had one within limits.READY_TIMEOUT and no check names a problem; the body says which.

While the broker is away and Quix still tries, a pipeline is live but not ready: a restart would not bring it back. No
answer at all is to be taken as 503: code that holds Python's lock for good, or a stopped process, silences any thread.
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
    """What is wrong with the loop, if anything.

    Args:
        check: names further problems, a line each, for /ready.
        clock: seconds, never going back.
    """

    def __init__(self, check: Callable[[], list[str]] = list, clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._last_iteration = clock()

    def heartbeat(self) -> None:
        """Note that the loop turns."""
        self._last_iteration = self._clock()

    def live(self) -> list[str]:
        """Why a restart would help, if it would."""
        return self._stuck(limits.LIVE_TIMEOUT)

    def ready(self) -> list[str]:
        """Why no record gets through, if none does."""
        return self._stuck(limits.READY_TIMEOUT) or self._check()

    @contextmanager
    def served(self, port: int) -> Iterator[None]:
        """Answer on this port of all interfaces, of the container or the machine; 0 for not at all.

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
                reason = os.strerror(error.errno or 0)  # its own text names an address, too
                raise Misconfigured(f"cannot listen on HEALTH_PORT {port}: {reason}") from error
            yield

    def _stuck(self, limit: float) -> list[str]:
        seconds = self._clock() - self._last_iteration
        return [f"no loop iteration for {seconds:.0f} s"] if seconds > limit else []


def _page(problems: Callable[[], list[str]]) -> Callable[[], Response]:
    """The page that names these problems, a line each, or says that there are none."""

    def page() -> Response:
        lines = problems()
        status = HTTPStatus.SERVICE_UNAVAILABLE if lines else HTTPStatus.OK
        return Response(status, "".join(f"{line}\n" for line in lines or ["ok"]))

    return page
