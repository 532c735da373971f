"""Runs `python pipeline.py verify` as its users do, on two topics, and reads what it prints."""

import json
import signal
from pathlib import Path
from typing import Any, Self

from tests.forked import start
from tests.kafka import TIMEOUT
from tools.environment import without_settings
from tools.waiting import wait_until

ROOT = Path(__file__).parents[3]


class Verify:
    """One run. Leaving the `with` block ends it."""

    def __init__(self, address: str, source: str, target: str, *arguments: str, **settings: str) -> None:
        own = {"Quix__Broker__Address": address, "input": source, "output": target, "LOG_LEVEL": "WARNING"}
        environment = {**without_settings(), **own, **settings}
        self._process = start(["pipeline.py", "verify", *arguments], env=environment, cwd=ROOT, errors=True)

    def line(self) -> dict[str, Any]:
        """The next line of JSON."""
        assert self._process.stdout is not None
        report: dict[str, Any] = json.loads(self._process.stdout.readline())
        return report

    def wait_for(self, **counts: int) -> dict[str, Any]:
        """The first line whose totals are at least these."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found.append(self.line())
            return all(found[-1]["total"][name] >= count for name, count in counts.items())

        wait_until(is_there, f"a line with {counts}")
        return found[-1]

    def wait_for_log(self, text: str) -> None:
        """Wait until its log has a line that holds this text."""
        assert self._process.stderr is not None
        assert any(text.encode() in line for line in self._process.stderr), f"it ended without {text!r} in its log"

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def pause(self) -> None:
        """Freeze it until it gets SIGCONT."""
        self.send(signal.SIGSTOP)
        stat = Path(f"/proc/{self._process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it to stop")

    def end(self) -> tuple[int, str, str]:
        """Its exit code, the rest of its output, and its log, once it has ended."""
        out, err = self._process.communicate(timeout=2 * TIMEOUT)
        return self._process.returncode, out.decode(), err.decode()

    def report(self) -> dict[str, Any]:
        """The last line of JSON, once it has ended, with the exit code."""
        code, out, err = self.end()
        assert out, err
        report: dict[str, Any] = json.loads(out.splitlines()[-1])
        return {**report, "exit_code": code}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its streams
            self._process.end()
