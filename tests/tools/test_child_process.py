import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import is_alive
from tools.child_process import ChildProcess
from tools.waiting import wait_until

ROOT = Path(__file__).parents[2]
ENDLESS = "import time; print('started', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ENDLESS}"
FROZEN = "import os, signal; print('started', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
ENDED = """
import os
from tools.child_process import ChildProcess

before = set(os.listdir("/dev/fd"))
child = ChildProcess(["/bin/sh", "-c", "exit 5"])
print([child.wait(60), child.end(), child.stop(1)], set(os.listdir("/dev/fd")) ^ before)
"""
"""In a process of its own: Kafka's clients of other tests open and close connections in the background."""

PARENT = """
import sys, threading, time
from tools.child_process import ChildProcess

child = []
thread = threading.Thread(target=lambda: child.append(ChildProcess([sys.executable, "-c", sys.argv[1]])))
thread.start()
thread.join()
print(child[0].pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("code", [ENDLESS, DEAF, FROZEN])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_parent_is_killed(code: str, number: signal.Signals) -> None:
    """A child ends with its parent, whichever thread started it, even if the child ignores signals or is frozen."""
    parent = ChildProcess([sys.executable, "-c", PARENT, code], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    words = {parent.stdout.readline().strip() for _ in range(2)}  # the child's line and the parent's, in any order
    (child,) = map(int, words - {b"started"})
    assert is_alive(child)
    parent.send_signal(number)
    assert parent.wait(60) == -number
    wait_until(lambda: not is_alive(child), "the child's end")
    parent.stdout.close()


def test_output_ends() -> None:
    """What it prints can be read to the end, and its exit code is its own."""
    child = ChildProcess([sys.executable, "-c", "print('one'); exit(3)"], stdout=subprocess.PIPE)
    output, _ = child.communicate(timeout=60)
    assert output == b"one\n"
    assert child.returncode == 3


def test_input_is_empty() -> None:
    """It reads nothing from us."""
    child = ChildProcess([sys.executable, "-c", "import sys; exit(len(sys.stdin.read()))"])
    assert child.wait(60) == 0


@pytest.mark.parametrize(("code", "timeout", "number"), [(ENDLESS, 60.0, signal.SIGTERM), (DEAF, 0.5, signal.SIGKILL)])
def test_stop(code: str, timeout: float, number: signal.Signals) -> None:
    """A child that does not end at SIGTERM in time is killed."""
    with ChildProcess([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        assert child.stop(timeout) == -number
        assert child.poll() == -number


def test_ended() -> None:
    """Once it has ended, ending it again changes nothing, and no process and no file of ours is left."""
    run = subprocess.run([sys.executable, "-c", ENDED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[5, 5, 5] set()\n"


def test_no_program(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that does not exist ends with 127 and says so."""
    assert ChildProcess(["/no/such/program"]).wait(60) == 127
    assert "/no/such/program" in capfd.readouterr().err
