"""A request to stop is recorded from the first moment."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest

from runtime.stop.signals import StopRequest
from tools.child_process import ChildProcess

ROOT = Path(__file__).parents[3]


@pytest.fixture
def request_() -> Iterator[StopRequest]:
    """A request that listens. The handlers are put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    stop = StopRequest()
    stop.listen()
    yield stop
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_remembered(request_: StopRequest, number: int) -> None:
    """Each signal is recorded, and `on_request` is called."""
    calls: list[bool] = []
    before = request_.requested
    request_.on_request = lambda: calls.append(True)
    os.kill(os.getpid(), number)
    assert (before, request_.requested) == (False, True)
    assert calls == [True]


def test_second_interrupt(request_: StopRequest) -> None:
    """The second SIGINT interrupts at once, but the second SIGTERM does not."""
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert request_.requested
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


STARTING = """
import os, signal
from runtime.stop.signals import stop_request
stop_request.listen(leave_at_once=True)
{begin}
os.kill(os.getpid(), signal.{number})
print("went on, requested:", stop_request.requested)
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (
            "",
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    runtime.stop.signals \| stopped: asked to stop before .*\n",
        ),
        ("stop_request.begin()", r"went on, requested: True\n"),
    ],
    ids=["before", "after"],
)
def test_before_begin(number: str, begin: str, said: str) -> None:
    """Before anything has begun, a signal ends the process at once, with 0 and a line. Later, it is remembered."""
    code = STARTING.format(begin=begin, number=number)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0
    assert re.fullmatch(said, run.stderr + run.stdout), run


def test_ignored_hangup() -> None:
    """SIGHUP stays ignored if it is at the start, as under `nohup`."""
    code = STARTING.format(begin="", number="SIGHUP")
    command = ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0
    assert run.stderr + run.stdout == "went on, requested: False\n"


BLOCKED = """
import ctypes, threading
from runtime import limits
from runtime.stop import signals as stopping
limits.LAST_LINE_TIMEOUT = 0.1
stopping.stop_request.listen()
end = lambda _: stopping.end_by_force(69, threading.Event().wait)
stopping.stop_request.enforce(end, stop=0.1, fail=60.0, checks=[])
lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
library.pthread_mutex_lock(lock)
print("blocked", flush=True)
library.pthread_mutex_lock(lock)
"""


def test_failure_after_request() -> None:
    """A failure after a request to stop shortens the time that is left."""
    before = signal.set_wakeup_fd(-1)
    try:
        ended: SimpleQueue[float] = SimpleQueue()
        stop = StopRequest()
        stop.requested = True
        stop.enforce(ended.put, stop=600.0, fail=0.1, checks=[])
        stop.start_failure_deadline()
        assert ended.get(timeout=60) == 0.1
    finally:
        signal.set_wakeup_fd(before)


def test_checks() -> None:
    """The checks run if the process still runs some time after the request, and not after a failure."""
    before = signal.set_wakeup_fd(-1)
    try:
        ran: SimpleQueue[str] = SimpleQueue()
        ended: SimpleQueue[float] = SimpleQueue()
        stop, failed = StopRequest(), StopRequest()
        failed.enforce(ended.put, stop=600.0, fail=0.2, checks=[(0.0, lambda: ran.put("failed"))])
        failed.start_failure_deadline()
        stop.requested = True
        checks = [(0.1, lambda: ran.put("second")), (0.0, lambda: ran.put("first"))]
        stop.enforce(ended.put, stop=600.0, fail=600.0, checks=checks)
        assert {ran.get(timeout=60), ran.get(timeout=60)} == {"first", "second"}
        assert ended.get(timeout=60) == 0.2
        assert ran.empty()
        assert ended.empty()
    finally:
        signal.set_wakeup_fd(before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_enforced(number: int) -> None:
    """A process that hangs in C code, where no Python handler runs, is ended after the time limit.

    This also holds if the log line blocks.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with ChildProcess([sys.executable, "-c", BLOCKED], cwd=ROOT, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"blocked\n"
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == 69


def test_enforced_after_early_request() -> None:
    """A request before `enforce` counts, and so does `start_failure_deadline`. Without either, nothing happens."""
    early, hurried = threading.Event(), threading.Event()
    after: list[float] = []

    def tell(which: threading.Event, within: float) -> None:
        after.append(within)
        which.set()

    before = signal.set_wakeup_fd(-1)
    try:
        stop, other = StopRequest(), StopRequest()
        stop.enforce(partial(tell, early), stop=0.0, fail=9.0, checks=[])
        other.enforce(partial(tell, hurried), stop=90.0, fail=0.01, checks=[])
        assert not early.wait(0.2)
        stop.requested = True
        stop.enforce(partial(tell, early), stop=0.0, fail=9.0, checks=[])
        assert early.wait(60)
        assert not hurried.is_set()
        other.start_failure_deadline()
        assert hurried.wait(60)
        assert after == [0.0, 0.01]
    finally:
        signal.set_wakeup_fd(before)
