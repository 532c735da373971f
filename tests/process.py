"""Runs `python pipeline.py` as a separate process, stops it by signals and reads its log line by line."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Self

from tests.forked import start
from tests.kafka import TIMEOUT
from tools.environment import without_settings
from tools.waiting import wait_until

SCRIPT = Path(__file__).parent.parent / "pipeline.py"
RUNNING = "now processing incoming messages"
"""Logged just before the loop begins."""


class Pipeline:
    """One run of `pipeline.py`. Leaving the `with` block, or `close`, ends it.

    Args:
        settings: its settings by variable name; none of them is taken from our own environment, nor is a proxy.
        folder: its working directory.
        arguments: its command line.
        script: the script to run: `pipeline.py`, or one that changes it.
    """

    def __init__(self, settings: Mapping[str, object], folder: Path, *arguments: str, script: Path = SCRIPT) -> None:
        kept = {name: value for name, value in without_settings().items() if not _is_proxy(name)}
        self.folder = folder
        self.lines: list[str] = []
        self.heard: dict[str, float] = {}
        """By line, the time.monotonic() at which it was last read."""
        self.started = time.monotonic()
        self.ended: float | None = None
        environment = kept | {name: str(value) for name, value in settings.items()}
        self._process = start([script, *arguments], env=environment, cwd=folder)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        """All that it has printed so far."""
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_for(self, *texts: str, timeout: float = TIMEOUT) -> str:
        """Wait for a line with all these texts and return the first, or raise AssertionError if there is none."""

        def found() -> str | None:
            ended = not self._reader.is_alive()
            line = next((line for line in list(self.lines) if all(text in line for text in texts)), None)
            assert line is not None or not ended, f"it ended without a line with {texts}:\n{self.log}"
            return line

        return str(wait_until(found, f"a line with {texts}", timeout))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Add its log to an AssertionError of the `with` block, as pytest does not show what a failing fixture did."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.log}") from error

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Wait until it has exited and all lines are read. Return the exit code, negative if a signal killed it."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout:g} s:\n{self.log}") from None
        self._reader.join(TIMEOUT)
        return self._process.returncode

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.send(number)
        return self.wait()

    def close(self) -> None:
        """Kill it if it still runs."""
        self._process.end()
        self._reader.join(TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self.close()
        if error is not None:
            print(self.log)  # noqa: T201  (shown if a test fails)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with TextIOWrapper(self._process.stdout, "utf-8", "backslashreplace") as stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))
                self.heard[self.lines[-1]] = time.monotonic()
        self.ended = time.monotonic()


class Pipelines:
    """Starts pipelines on one broker, each in an empty folder of its own. Leaving the `with` block kills them all.

    Args:
        address: the broker's bootstrap server.
        folder: the parent of their folders.
        script: the script to run, as for `Pipeline`.
    """

    def __init__(self, address: str, folder: Path, script: Path = SCRIPT) -> None:
        self._address = address
        self._folder = folder
        self._script = script
        self._started: list[Pipeline] = []

    def start(self, source: str, target: str, *arguments: str, **settings: object) -> Pipeline:
        """Start one between two topics. Runs with the same input share a consumer group, unless `settings` differ.

        Args:
            source: the input topic.
            target: the output topic.
            arguments: the command line, for example `check`.
            settings: further settings.
        """
        folder = self._folder / f"run-{len(self._started)}"
        folder.mkdir()
        usual = {
            "Quix__Broker__Address": self._address,
            "Quix__Consumer_Group": group_of(source),
            "input": source,
            "output": target,
            "AUTO_CREATE_TOPICS": "false",
        }
        pipeline = Pipeline({**usual, **settings}, folder, *arguments, script=self._script)
        self._started.append(pipeline)
        return pipeline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipeline in self._started:
            pipeline.close()
            sys.stdout.write(f"{pipeline.log}\n")  # shown if a test fails


def _is_proxy(variable: str) -> bool:
    return variable.lower().endswith("_proxy")


def group_of(source: str) -> str:
    """The consumer group of the pipelines that read this topic."""
    return f"group-{source}"


def is_alive(pid: int) -> bool:
    """Whether this process is alive. A zombie is not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return state.stdout.strip()[:1] not in {"", "Z"}
