"""Starts and ends the process of the load, faults/load.py."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from faults.workers import ROOT
from tools.child_process import ChildProcess
from tools.process_state import handles_sigterm
from tools.waiting import wait_until

_END_WITHIN = 300.0  # seconds for the remaining records to be delivered


class LoadProcess:
    """One run of faults.load.

    Args:
        options: its options, by their names without dashes.
        log: the file for its errors.
    """

    def __init__(self, options: Mapping[str, object], log: Path) -> None:
        self._endless = not options.get("count")
        words = [word for name, value in options.items() for word in (f"--{name}", *_words(value))]
        with log.open("wb") as errors:
            command = [sys.executable, "-m", "faults.load", *words]
            self._process = ChildProcess(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)

    def end(self) -> dict[int, int]:
        """Stop it, or wait until COUNT is sent. Return the number after the last one sent, by partition.

        Raises:
            AssertionError: the load failed; the pipeline may be right.
        """
        if self._endless:
            wait_until(lambda: self._process.poll() is not None or handles_sigterm(self._process.pid), "the load")
            self._process.terminate()
        printed, _ = self._process.communicate(timeout=_END_WITHIN)
        result = json.loads(printed or "{}")
        assert self._process.returncode == 0, f"the load failed: {result}"
        return {int(partition): number for partition, number in result["sent"].items()}

    def close(self) -> None:
        """Kill it, if it still runs."""
        self._process.end()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _words(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
