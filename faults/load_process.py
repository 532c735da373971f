"""The load's process, faults/load.py, as the trial sees it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from faults.workers import ROOT, handles_sigterm

_END_WITHIN = 300.0  # seconds for the broker to take what is left


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
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.load", *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def end(self) -> dict[int, int]:
        """Stop it, or wait where it ends by itself; by partition, the number after the last one sent.

        Raises:
            AssertionError: the load has failed, which says nothing about the pipeline.
        """
        while self._endless and self._process.poll() is None and not handles_sigterm(self._process.pid):
            time.sleep(0.02)  # its interpreter has only just started
        if self._endless and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        printed, _ = self._process.communicate(timeout=_END_WITHIN)
        told = json.loads(printed or "{}")
        assert self._process.returncode == 0, f"the load failed: {told}"
        return {int(partition): number for partition, number in told["sent"].items()}

    def close(self) -> None:
        """Kill it, if it still runs."""
        self._process.kill()
        self._process.communicate()


def _words(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
