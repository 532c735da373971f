"""The workers: `python pipeline.py` as users run it, and a supervisor that restarts those that exit."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count as count_from
from pathlib import Path

from tools.child_process import ChildProcess
from tools.environment import without_settings
from tools.process_state import handles_sigterm
from tools.waiting import wait_until

ROOT = Path(__file__).parent.parent
PIPELINE = (str(ROOT / "pipeline.py"),)
STARTED = b"now processing incoming messages"

_RESTART_AFTER = 1.0  # seconds


class Worker:
    """One process of the pipeline, which logs into a file. `slot` is a number that no other running worker has."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, number: int, folder: Path
    ) -> None:
        self.log = log
        self.restart: Callable[[], object]
        """Starts another worker with the same settings."""
        self.number = number
        self.slot = 0
        self.started = time.monotonic()
        self.expected = False
        """Whether the trial ended it."""
        with log.open("wb") as output:
            self.process = ChildProcess(
                [sys.executable, *command], env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def running(self) -> bool:
        """Whether it is alive (it may be frozen)."""
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it takes records."""
        return STARTED in self.log.read_bytes()

    @property
    def handles_sigterm(self) -> bool:
        """Whether it has a handler for SIGTERM, or has ended."""
        return not self.running or handles_sigterm(self.process.pid)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.expected = True
        self.process.end()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def last_line(self) -> str:
        """Its last log line."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""


class WorkerPool:
    """All workers of a trial. One that exits unasked is noted and restarted.

    Args:
        settings: by the names of their variables; `{slot}` in a value is replaced by the worker's slot.
        folder: where they run and log.
        command: a worker's command line after `python`.
    """

    def __init__(self, settings: Mapping[str, object], folder: Path, command: Sequence[str] = PIPELINE) -> None:
        given = {name: str(value) for name, value in settings.items()}
        self.environment = without_settings() | {"PYTHONPATH": str(ROOT)} | given
        self.workers: list[Worker] = []
        self.exits: Counter[int] = Counter()
        """Exit codes of workers that exited unasked."""
        self.reasons: list[str] = []
        """Their last log lines."""
        self._command = command
        self._folder = folder
        self._count = 0
        self._restarts: list[tuple[float, Callable[[], object]]] = []
        self._asked: dict[int, float] = {}
        self.stopped: list[tuple[int, float]] = []
        """For each worker that was asked to stop, its exit code and the seconds since SIGTERM."""

    def ask_to_stop(self, worker: Worker) -> None:
        """Send SIGTERM. The exit is added to `stopped`."""
        worker.expected = True
        self._asked[worker.number] = time.monotonic()
        worker.send(signal.SIGTERM)

    def start(self, count: int = 1, other: Mapping[str, str] | None = None, folder: Path | None = None) -> list[Worker]:
        """Start more workers, with these other settings, in this folder."""
        started = []
        for _ in range(count):
            self._count += 1
            taken = {worker.slot for worker in self.alive(lambda _: True)}
            slot = next(slot for slot in count_from(1) if slot not in taken)
            given = {**self.environment, **(other or {})}
            settings = {name: text.replace("{slot}", str(slot)) for name, text in given.items()}
            log = self._folder / f"worker-{self._count}.log"
            worker = Worker(self._command, settings, log, self._count, folder or self._folder)
            worker.restart = partial(self.start, 1, other, folder)
            worker.slot = slot
            self.workers.append(worker)
            started.append(worker)
        return started

    def supervise(self) -> None:
        """Restart workers a second after they exited unasked, and forget those that were stopped or killed."""
        for worker in [worker for worker in self.workers if not worker.running]:
            self.workers.remove(worker)
            if not worker.expected:
                self.exits[worker.process.returncode] += 1
                self.reasons.append(worker.last_line().rpartition(" | ")[2])
                self._restarts.append((time.monotonic() + _RESTART_AFTER, worker.restart))
            if begin := self._asked.pop(worker.number, None):
                self.stopped.append((worker.process.returncode, time.monotonic() - begin))
        due = [restart for moment, restart in self._restarts if moment <= time.monotonic()]
        self._restarts = self._restarts[len(due) :]
        for restart in due:
            restart()

    def alive(self, which: Callable[[Worker], bool] = lambda worker: worker.ready) -> list[Worker]:
        """The running workers for which `which` is true, by default those that take records."""
        return [worker for worker in self.workers if worker.running and which(worker)]

    def stop(self, timeout: float = 60.0) -> None:
        """Stop all workers. Kill those that take longer."""
        self._restarts.clear()
        deadline = time.monotonic() + timeout
        for worker in self.alive(lambda _: True):
            worker.send(signal.SIGCONT)
            with suppress(TimeoutError):
                wait_until(lambda: worker.handles_sigterm, "its handler", deadline - time.monotonic())  # noqa: B023
            self.ask_to_stop(worker)
        with suppress(TimeoutError):
            wait_until(self._have_ended, "all workers to exit", deadline - time.monotonic())
        for worker in self.alive(lambda _: True):
            worker.kill()
        self.supervise()

    def _have_ended(self) -> bool:
        self.supervise()
        return not self.workers

    def close(self) -> None:
        """Kill all."""
        for worker in self.workers:
            worker.kill()
