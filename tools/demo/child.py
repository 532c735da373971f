"""A process that runs for the demo, and how it ended."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tools.demo.view import printable

ROOT = Path(__file__).parents[2]

_STOP_WITHIN = 15.0  # seconds
_STOPPED = (0, -signal.SIGTERM)  # the latter before it listens
_LOG_LINES = 5


class Child:
    """A process that is started for the demo: it logs into a file, and Ctrl-C in the terminal does not reach it."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._name = name
        self._asked_to_stop = False
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to stop, and kill it if it takes too long."""
        self._asked_to_stop = self.running
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_WITHIN)
        self.kill()

    def kill(self) -> None:
        """Kill it, if it still lives."""
        self._process.kill()
        self._process.wait()

    def problem(self) -> str | None:
        """How it ended, with the last lines of its log; None if it lives, or stopped as asked."""
        code = self._process.poll()
        if code is None or (self._asked_to_stop and code in _STOPPED):
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        return f"the {self._name} {how}; its log ends:\n{end_of(self._log)}"


def end_of(log: Path) -> str:
    """The last lines of a log, for a terminal."""
    return "\n".join(f"  {printable(line)}" for line in log.read_bytes().splitlines()[-_LOG_LINES:])
