"""Remembers that SIGINT or SIGTERM asked to stop, from before the slow imports on, and sees that it is done."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from runtime import limits

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FAILURE = 0  # no signal's number


class StopRequest:
    """Whether the process was asked to stop; the second SIGINT interrupts at once, as it does elsewhere."""

    def __init__(self) -> None:
        self.requested = False
        self.on_request: Callable[[], None] = lambda: None
        self._writer: int | None = None

    def listen(self, *, leave_at_once: bool = False) -> None:
        """Take over SIGINT and SIGTERM; Quix forgets an early one.

        Args:
            leave_at_once: until `begin`, one ends the process there and then: there is nothing to finish, and the
                imports that it would wait for take seconds on a busy machine.
        """
        if leave_at_once:
            self.on_request = _leave
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def begin(self) -> None:
        """From here on, a request is for whoever runs to heed."""
        self.on_request = lambda: None

    def enforce(
        self,
        give_up: Callable[[float], object],
        stop: float = limits.STOP_TIMEOUT,
        fail: float = limits.FAILURE_TIMEOUT,
    ) -> None:
        """Call `give_up`, in a thread of its own, where the process still runs so many seconds after the request.

        librdkafka waits for good, in places, for a broker that is away (issue 5456 of it), and as long as the main
        thread is inside it no handler in Python runs: so the signal is read where the interpreter leaves it.

        Args:
            give_up: takes those seconds.
            stop: so many after a signal.
            fail: so many after `start_failure_deadline`.
        """
        reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        threading.Thread(target=self._enforce, args=(reader, give_up, stop, fail), daemon=True).start()

    def start_failure_deadline(self) -> None:
        """Begin to count: the process is on its way out by itself, and may wait for a broker for good, too."""
        if self._writer is not None:
            os.write(self._writer, bytes([_FAILURE]))

    def _enforce(self, reader: int, give_up: Callable[[float], object], stop: float, fail: float) -> None:
        told = None
        while not self.requested and told not in {_FAILURE, *_SIGNALS}:
            told = os.read(reader, 1)[0]
        within = fail if told == _FAILURE else stop
        time.sleep(within)
        give_up(within)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.requested = True
        self.on_request()


def end_by_force(exit_code: int, tell: Callable[[], object]) -> None:
    """End the process once `tell` has said why, or after two seconds: whoever reads standard error may have stopped."""
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    teller.join(limits.LAST_LINE_TIMEOUT)
    os._exit(exit_code)


def _leave() -> None:
    now = time.time()
    stamp = time.strftime(
        "%Y-%m-%d %H:%M:%S", time.localtime(now)
    )  # as runtime.observe.logs, which is still to be imported
    line = f"{stamp}.{int(now % 1 * 1000):03} INFO    {__name__} | stopped: asked to stop before it had started\n"
    try:
        os.write(2, line.encode())
    finally:
        os._exit(0)


stop_request = StopRequest()
