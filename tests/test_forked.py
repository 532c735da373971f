"""Programs that the tests fork run as if Python had been started for them."""

import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import ForkedProcess
from tests.kafka import TIMEOUT

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere, a new interpreter runs them")

TELLS = """
import json, os, signal, sys
print([__name__, __file__, sys.argv, sys.path[0], os.getcwd(), sorted(os.environ.items()), sys.stdin.read()])
print([signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)])
print(os.getsid(0) == os.getpid(), "quixstreams" in sys.modules, file=sys.stderr)
sys.exit(3)
"""


@pytest.mark.parametrize(
    "command", [["{folder}/tells.py", "a b", "--c"], ["-m", "tells", "a b"]], ids=["script", "module"]
)
def test_like_an_interpreter(tmp_path: Path, command: list[str]) -> None:
    """A forked program has the arguments, folder, variables, streams, signals and exit code of a started one."""
    (tmp_path / "tells.py").write_text(TELLS)
    command = [word.format(folder=tmp_path) for word in command]
    env = {"SOME": "variable", "LC_CTYPE": "C.UTF-8"}
    with ForkedProcess(command, cwd=tmp_path, env=env, errors=True) as forked:
        out, err = forked.communicate(TIMEOUT)
    started = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (forked.returncode, out) == (started.returncode, started.stdout)
    assert err == b"True True\n"


def test_killed(tmp_path: Path) -> None:
    """Its exit code tells the signal that ended it."""
    (tmp_path / "waits.py").write_text("import time; print('started', flush=True); time.sleep(600)")
    with ForkedProcess(["waits.py"], cwd=tmp_path, env={}) as forked:
        assert forked.stdout.readline() == b"started\n"
        assert forked.poll() is None
        forked.send_signal(signal.SIGTERM)
        assert forked.wait(TIMEOUT) == -signal.SIGTERM
