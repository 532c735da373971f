"""Records SIGINT, SIGTERM and SIGHUP, also during slow imports, and ends the process if it does not stop in time."""

import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from runtime import limits

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAILURE = 0  # not a signal's number
_LIMITED = {_FAILURE, *_SIGNALS}


class StopRequest:
    """Whether the process was asked to stop. A second SIGINT raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.requested = False
        self.on_request: Callable[[], None] = lambda: None
        self._writer: int | None = None

    def listen(self, *, leave_at_once: bool = False) -> None:
        """Handle these signals, as Quix would lose an early one. SIGHUP stays ignored if it is, as under `nohup`.

        Args:
            leave_at_once: until `begin`, a signal ends the process immediately. There is nothing to finish, and the
                imports take seconds on a busy machine.
        """
        if leave_at_once:
            self.on_request = _exit_immediately
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def begin(self) -> None:
        """Stop exiting immediately: from now on, a request is only recorded."""
        self.on_request = lambda: None

    def enforce(
        self,
        on_timeout: Callable[[float], object],
        stop: float,
        fail: float,
        checks: Iterable[tuple[float, Callable[[], object]]],
    ) -> None:
        """Call `on_timeout` in a separate thread if the process still runs some time after the request or a failure.

        librdkafka may wait forever for a broker that does not answer (librdkafka issue 5456). No Python signal handler
        runs meanwhile, so a thread reads the signal's number from the wakeup file descriptor.

        Args:
            on_timeout: its argument is the time limit in seconds.
            stop: seconds after a signal.
            fail: seconds after `start_failure_deadline`.
            checks: called in threads of their own, this many seconds after a signal, if the process still runs then.
        """
        reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if self.requested:
            os.write(self._writer, bytes([signal.SIGTERM]))
        threading.Thread(target=self._enforce, args=(reader, on_timeout, stop, fail, checks), daemon=True).start()

    def start_failure_deadline(self) -> None:
        """Start the failure deadline: the process stops after an error, and may also wait forever for a broker.

        It applies also after a request to stop, if it is earlier.
        """
        if self._writer is not None:
            os.write(self._writer, bytes([_FAILURE]))

    def _enforce(
        self,
        reader: int,
        on_timeout: Callable[[float], object],
        stop: float,
        fail: float,
        checks: Iterable[tuple[float, Callable[[], object]]],
    ) -> None:
        limit = deadline = math.inf
        while (now := time.monotonic()) < deadline:
            if not select.select([reader], [], [], deadline - now if deadline < math.inf else None)[0]:
                continue
            event = os.read(reader, 1)[0]
            within, now = fail if event == _FAILURE else stop, time.monotonic()
            if event in _LIMITED and now + within < deadline:
                limit, deadline = within, now + within
                if event != _FAILURE:
                    for seconds, check in checks:
                        _call_later(seconds, check)
        on_timeout(limit)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.requested = True
        self.on_request()


def end_by_force(exit_code: int, log_error: Callable[[], object]) -> None:
    """End the process after `log_error`, or after limits.LAST_LINE_TIMEOUT if standard error is blocked."""
    thread = threading.Thread(target=log_error, daemon=True)
    thread.start()
    thread.join(limits.LAST_LINE_TIMEOUT)
    os._exit(exit_code)


def leave(exit_code: int) -> NoReturn:
    """End the process without the clean-up of C libraries: OpenSSL's may crash while librdkafka's threads use it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(exit_code)


def _call_later(seconds: float, function: Callable[[], object]) -> None:
    """Call a function in a separate thread, unless the process has ended before."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    with suppress(RuntimeError):  # there may be no thread left; the time limit must be kept nevertheless
        timer.start()


def _exit_immediately() -> None:
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))  # as runtime.observe.logs, not imported yet
    line = f"{stamp}.{int(now % 1 * 1000):03} INFO    {__name__} | stopped: asked to stop before it started\n"
    try:
        os.write(2, line.encode())
    finally:
        os._exit(0)


stop_request = StopRequest()
