"""A process of the demo, which logs into a file, and an explanation if it fails."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.child_process import ChildProcess
from tools.printable import printable

ROOT = Path(__file__).parents[2]

_STOP_TIMEOUT = 15.0  # seconds
_STOPPED = (0, -signal.SIGTERM)  # the latter before it handles SIGTERM
_LOG_LINES = 5


class Child(ChildProcess):
    """A worker or the generator; processes of the same name log into the same file."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._name = name
        self._stopped = False
        self._log = folder / f"{name}.log"
        with self._log.open("ab") as log:
            super().__init__(
                [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def stop(self, timeout: float = _STOP_TIMEOUT) -> int:
        """Ask it to stop, and kill it if that takes too long; return its exit code."""
        return super().stop(timeout)

    def terminate(self) -> None:
        """Send SIGTERM, if it runs; only once, because a second one would kill a process that is ending."""
        if not self._stopped and self.poll() is None:
            self._stopped = True
            super().terminate()

    def problem(self) -> str | None:
        """How it ended, with the last lines of its log; None if it runs, or stopped as asked."""
        code = self.poll()
        if code is None or (self._stopped and code in _STOPPED):
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        return f"the process {self._name} {how}; its log ends:\n{end_of(self._log)}"


def end_of(log: Path) -> str:
    """The last lines of a log, safe to print on a terminal."""
    return "\n".join(f"  {printable(line)}" for line in log.read_bytes().splitlines()[-_LOG_LINES:])
