"""Remembers that SIGINT or SIGTERM asked to stop, from before the slow imports on; Quix forgets an early one."""

import signal
from collections.abc import Callable
from types import FrameType


class StopRequest:
    """Whether the process was asked to stop; the second SIGINT interrupts at once, as it does elsewhere."""

    def __init__(self) -> None:
        self.requested = False
        self.on_request: Callable[[], None] = lambda: None

    def listen(self) -> None:
        """Take over SIGINT and SIGTERM."""
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.requested = True
        self.on_request()


stop_request = StopRequest()
