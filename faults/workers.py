"""The workers under fault: `python pipeline.py` with a user's settings, and the supervisor that starts them again."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count as count_from
from pathlib import Path

from runtime.settings import Settings

ROOT = Path(__file__).parent.parent
PIPELINE = (str(ROOT / "pipeline.py"),)
STARTED = b"now processing incoming messages"

_SETTINGS = {str(field.validation_alias) for field in Settings.model_fields.values()}
_RESTART_AFTER = 1.0  # seconds: what a supervisor waits for after an exit


def handles_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM, or has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return True
    caught = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")), 0)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


class Worker:
    """One process of the pipeline, logging into a file; `slot` is its place among those that run."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, number: int, folder: Path
    ) -> None:
        self.log = log
        self.again: Callable[[], object]
        """Starts another one like it."""
        self.number = number
        self.slot = 0
        self.started = time.monotonic()
        self.expected = False
        """Whether its end is our doing."""
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it lives (it may be frozen)."""
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it takes records."""
        return STARTED in self.log.read_bytes()

    @property
    def handles_sigterm(self) -> bool:
        """Whether it heeds SIGTERM, which none can before its interpreter has started; or has ended."""
        return not self.running or handles_sigterm(self.process.pid)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.expected = True
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def last_line(self) -> str:
        """What it said last."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""

    def usage(self) -> dict[str, int]:
        """Resident memory now and at its most, both in bytes, open files, threads; nothing where it has ended."""
        folder = Path(f"/proc/{self.process.pid}")
        try:
            lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
            files = len(os.listdir(folder / "fd"))  # noqa: PTH208  (only how many)
        except OSError:
            return {}
        if "VmRSS" not in lines:
            return {}
        memory = {name: int(lines[key].split()[0]) * 1024 for name, key in (("rss", "VmRSS"), ("peak", "VmHWM"))}
        return {**memory, "files": files, "threads": int(lines["Threads"])}


class WorkerPool:
    """All workers of a trial. Whoever ends unasked is started again, as a supervisor would, and its end noted.

    Args:
        settings: by the names of their variables; `{slot}` in the text of one is a number that no other worker has now
            and that one started again has again.
        folder: where they run and log.
        command: what a worker is.
    """

    def __init__(self, settings: Mapping[str, object], folder: Path, command: Sequence[str] = PIPELINE) -> None:
        own = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
        given = {name: str(value) for name, value in settings.items()}
        self.environment = own | {"PYTHONPATH": str(ROOT)} | given
        self.workers: list[Worker] = []
        self.exits: Counter[int] = Counter()
        """Exit codes of those that ended unasked."""
        self.reasons: list[str] = []
        """What they said last."""
        self._command = command
        self._folder = folder
        self._count = 0
        self._again: list[tuple[float, Callable[[], object]]] = []
        self._asked: dict[int, float] = {}
        self.stopped: list[tuple[int, float]] = []
        """Exit code, and seconds from SIGTERM on, of each that was asked to stop."""

    def ask_to_stop(self, worker: Worker) -> None:
        """Send SIGTERM; `stopped` will tell how it ended."""
        worker.expected = True
        self._asked[worker.number] = time.monotonic()
        worker.send(signal.SIGTERM)

    def start(self, count: int = 1, other: Mapping[str, str] | None = None, folder: Path | None = None) -> list[Worker]:
        """Start so many more, with these other settings, in this folder."""
        begun = []
        for _ in range(count):
            self._count += 1
            taken = {worker.slot for worker in self.alive(lambda _: True)}
            slot = next(slot for slot in count_from(1) if slot not in taken)
            given = {**self.environment, **(other or {})}
            settings = {name: text.replace("{slot}", str(slot)) for name, text in given.items()}
            log = self._folder / f"worker-{self._count}.log"
            worker = Worker(self._command, settings, log, self._count, folder or self._folder)
            worker.again = partial(self.start, 1, other, folder)
            worker.slot = slot
            self.workers.append(worker)
            begun.append(worker)
        return begun

    def supervise(self) -> None:
        """Start those again that have ended unasked a second ago; forget those that were stopped or killed."""
        for worker in [worker for worker in self.workers if not worker.running]:
            self.workers.remove(worker)
            if not worker.expected:
                self.exits[worker.process.returncode] += 1
                self.reasons.append(worker.last_line().rpartition(" | ")[2])
                self._again.append((time.monotonic() + _RESTART_AFTER, worker.again))
            if begin := self._asked.pop(worker.number, None):
                self.stopped.append((worker.process.returncode, time.monotonic() - begin))
        due = [again for moment, again in self._again if moment <= time.monotonic()]
        self._again = self._again[len(due) :]
        for again in due:
            again()

    def alive(self, which: Callable[[Worker], bool] = lambda worker: worker.ready) -> list[Worker]:
        """Those that run and are as asked for; the default is that they take records."""
        return [worker for worker in self.workers if worker.running and which(worker)]

    def stop(self, timeout: float = 60.0) -> None:
        """Ask all to stop, and wait for it; kill who takes longer."""
        self._again.clear()
        deadline = time.monotonic() + timeout
        for worker in self.alive(lambda _: True):
            worker.send(signal.SIGCONT)
            while not worker.handles_sigterm and time.monotonic() < deadline:
                time.sleep(0.02)
            self.ask_to_stop(worker)
        while self.alive(lambda _: True) and time.monotonic() < deadline:
            time.sleep(0.02)
            self.supervise()
        for worker in self.alive(lambda _: True):
            worker.kill()
        self.supervise()

    def close(self) -> None:
        """Kill whoever still runs."""
        for worker in self.workers:
            worker.kill()
