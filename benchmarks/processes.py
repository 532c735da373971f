"""Starts the processes of a peer, samples their CPU and memory, and stops them."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.peers import Peer
from runtime.settings import Settings
from tools.child_process import ChildProcess

ROOT = Path(__file__).parent.parent
MB = 1_000_000
_EVERY = 0.05  # seconds between two samples
_STOP_WITHIN = 60.0  # seconds
_PROC = Path("/proc")


class PeerFailed(Exception):
    """A peer exited, or did not exit when it was asked to."""


class Sample(NamedTuple):
    """The state of all processes of a peer together."""

    time: float  # seconds since the epoch
    cpu: float  # seconds, all threads
    rss: float  # MB
    peak: float  # MB


class Route(NamedTuple):
    """The broker and the topics of a peer."""

    address: str
    source: str
    target: str

    @property
    def group(self) -> str:
        """The consumer group, a separate one for each output topic."""
        return f"group-of-{self.target}"


class Running:
    """The processes of one peer; leaving the `with` block ends them."""

    def __init__(self, peer: Peer, route: Route, workers: int = 1) -> None:
        self.peer = peer
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed on leaving)
        self._processes = [
            ChildProcess(
                [sys.executable, "-m", peer.module, *_arguments(peer, route)],
                env=_environment(peer, route),
                cwd=ROOT,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
            for _ in range(workers)
        ]
        self.samples: list[Sample] = []
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def check(self) -> None:
        """Raise PeerFailed, with the end of what it has printed, if one of the processes has ended."""
        for process in self._processes:
            if process.poll() is not None:
                raise PeerFailed(f"{self.peer.name} ended with exit code {process.returncode}:\n{self._printed()}")

    def cpu_between(self, start: float, end: float) -> float:
        """CPU seconds used between two points in time, interpolated between samples."""
        return self._cpu_at(end) - self._cpu_at(start)

    @property
    def peak(self) -> float:
        """The most memory held, in MB."""
        return max(sample.peak for sample in self.samples)

    def stop(self) -> None:
        """Ask them to stop, and wait until they have exited; PeerFailed if they do not."""
        self._ended.set()
        self._sampler.join()
        for process in self._processes:
            process.terminate()
        try:
            for process in self._processes:
                process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired as error:
            raise PeerFailed(f"{self.peer.name} did not stop:\n{self._printed()}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._ended.set()
        for process in self._processes:
            process.end()
        self._sampler.join()
        self._log.close()

    def _sample(self) -> None:
        while not self._ended.wait(_EVERY):
            states = [state for process in self._processes if (state := _state(process.pid))]
            if len(states) == len(self._processes):
                cpu, rss, peak = (sum(numbers) for numbers in zip(*states, strict=True))
                self.samples.append(Sample(time.time(), cpu, rss, peak))

    def _cpu_at(self, moment: float) -> float:
        samples = self.samples
        index = min(max(bisect(samples, moment, key=lambda sample: sample.time), 1), len(samples) - 1)
        before, after = samples[index - 1], samples[index]
        share = min(max((moment - before.time) / (after.time - before.time), 0.0), 1.0)
        return before.cpu + share * (after.cpu - before.cpu)

    def _printed(self) -> str:
        self._log.seek(0)
        return self._log.read()[-3000:].decode(errors="replace")


def _arguments(peer: Peer, route: Route) -> list[str]:
    if peer.module == "pipeline":
        return []
    return [*route, route.group, *([peer.guarantee] if peer.guarantee else [])]


def _environment(peer: Peer, route: Route) -> dict[str, str]:
    """Our environment without the pipeline's settings, so that it runs with its defaults."""
    names = {str(field.validation_alias) for field in Settings.model_fields.values()}
    environment = {name: value for name, value in os.environ.items() if name not in names} | dict(peer.variables)
    if peer.module == "pipeline":
        environment |= {
            "Quix__Broker__Address": route.address,
            "Quix__Consumer_Group": route.group,
            "input": route.source,
            "output": route.target,
            "PROCESSING_GUARANTEE": peer.guarantee or "",
        }
    return environment


def _state(pid: int) -> tuple[float, float, float] | None:
    """CPU seconds, MB now and peak MB of a process; None if it has ended."""
    with suppress(OSError, ValueError, KeyError, IndexError):
        if not _PROC.is_dir():
            return _state_by_ps(pid)
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in (_PROC / str(pid) / "status").read_text().splitlines())
        rss, peak = (int(status[name].split()[0]) * 1024 / MB for name in ("VmRSS", "VmHWM"))
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), rss, peak
    return None


def _state_by_ps(pid: int) -> tuple[float, float, float]:
    """The same without /proc, as on macOS, where the peak is not known."""
    answer = subprocess.run(
        ["/bin/ps", "-o", "rss=,time=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    kibibytes, clock = answer.stdout.split()
    seconds = 0.0
    for part in clock.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds, int(kibibytes) * 1024 / MB, int(kibibytes) * 1024 / MB
