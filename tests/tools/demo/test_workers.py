"""The demo's processes: how each one ended, and that it stops as asked."""

import os
from pathlib import Path

import pytest

from tests.kafka import TIMEOUT
from tools.demo.workers import Child
from tools.waiting import wait_until


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("", "the process child ended with exit code 0; its log ends:\n"),
        (
            "print('one\\ntwo \\x1b'); exit(3)",
            "the process child ended with exit code 3; its log ends:\n  one\n  two \\x1b",
        ),
        ("import os; os.kill(os.getpid(), 15)", "the process child was killed by SIGTERM; its log ends:\n"),
    ],
)
def test_child_that_ends(tmp_path: Path, code: str, problem: str) -> None:
    """A child that ends unasked is a problem, shown with the end of its log, escaped for a terminal."""
    child = Child("child", ["-c", code], os.environ, tmp_path, may_end=False)
    wait_until(lambda: child.poll() is not None, "its end")
    assert child.problem() == problem
    child.stop(TIMEOUT)
    assert child.problem() == problem


# Like Python itself while it ends, it handles only the first signal, and a second one would kill it.
# Short sleeps: a signal that comes just before a sleep begins is handled only after it.
HANDLES_SIGTERM = """
import signal, sys, time
def stop(*_):
    signal.signal(15, signal.SIG_DFL)
    time.sleep(0.2)
    sys.exit({code})
signal.signal(15, stop)
print(flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("code", "is_problem"),
    [
        ("import time; time.sleep(60)", False),
        (HANDLES_SIGTERM.format(code=0), False),
        (HANDLES_SIGTERM.format(code=1), True),
    ],
)
def test_child_that_is_stopped(tmp_path: Path, code: str, *, is_problem: bool) -> None:
    """A child that is asked to stop, and does so with exit code 0 or before it listens, is no problem."""
    child = Child("child", ["-c", code], os.environ, tmp_path, may_end=False)
    wait_until(lambda: "print" not in code or (tmp_path / "child.log").stat().st_size, "its first line")
    assert child.problem() is None
    child.stop(TIMEOUT)
    assert child.poll() is not None
    assert bool(child.problem()) == is_problem
