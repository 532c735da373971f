"""Child processes of a test run that is killed, or started under `nohup` or in a background job."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.kafka import TIMEOUT
from tests.process import is_alive
from tools.child_process import ChildProcess
from tools.waiting import wait_until

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
RUN = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), "--rootdir=."]
ENDLESS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
STARTS_A_PIPELINE = """
from pathlib import Path
from tests.process import Pipeline

def test_it(tmp_path):
    with Pipeline({}, tmp_path, script=Path("endless.py").resolve()) as pipeline:
        Path("pid").write_text(pipeline.wait_for(""))
        pipeline.wait(600)
"""
SENDS_EACH_SIGNAL = """
import signal
from pathlib import Path
import pytest
from tests.process import Pipeline

@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM])
def test_it(tmp_path, number):
    with Pipeline({}, tmp_path, script=Path("endless.py").resolve()) as pipeline:
        pipeline.wait_for("")
        assert pipeline.stop(number) == -number
"""


def start(folder: Path, test: str, *options: str, before: str = "") -> ChildProcess:
    """Run pytest on one test file, from a shell that runs a command first."""
    (folder / "endless.py").write_text(ENDLESS)
    (folder / "test_it.py").write_text(test)
    command = ["/bin/sh", "-c", f'{before}\nexec "$@"', "sh", *RUN, *options, "test_it.py"]
    return ChildProcess(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def read(file: Path) -> str:
    """The file's text, or an empty one if there is no file yet."""
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("workers", [0, 1])
def test_killed_run(tmp_path: Path, workers: int) -> None:
    """A run that is killed leaves no process behind."""
    with start(tmp_path, STARTS_A_PIPELINE, f"--numprocesses={workers}") as run:
        written = partial(read, tmp_path / "pid")
        wait_until(lambda: written() or run.poll() is not None, "the pipeline's start", 4 * TIMEOUT)
        pid = int(written() or 0)
        assert is_alive(pid)
        run.end()
        wait_until(lambda: not is_alive(pid), "the pipeline's end")


def test_ignored_signals(tmp_path: Path) -> None:
    """Child processes receive the signals that the run ignores from its start, as in a background job."""
    with start(tmp_path, SENDS_EACH_SIGNAL, "--numprocesses=1", before="trap '' HUP INT QUIT TERM") as run:
        output, _ = run.communicate(timeout=4 * TIMEOUT)
        assert run.returncode == 0, output.decode()
