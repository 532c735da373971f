"""Starts the processes of a peer, samples their CPU and memory, and stops them."""

import subprocess
import tempfile
import threading
import time
from bisect import bisect
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.peers import PIPELINE, Peer
from tools.child_process import ChildProcess
from tools.environment import without_settings
from tools.process_state import usage

ROOT = Path(__file__).parent.parent
MB = 1_000_000
_EVERY = 0.05  # seconds between two samples
_STOP_WITHIN = 60.0  # seconds


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
    """The processes of one peer. Leaving the `with` block ends them."""

    def __init__(self, peer: Peer, route: Route, workers: int = 1) -> None:
        self.peer = peer
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed on leaving)
        self._processes = [
            ChildProcess(
                [*peer.command, *_arguments(peer, route)],
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
        """Ask them to stop, and wait until they have exited.

        Raises:
            PeerFailed: they do not exit.
        """
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
            used = [found for process in self._processes if (found := usage(process.pid))]
            if len(used) == len(self._processes):
                cpu, rss, peak, *_ = map(sum, zip(*used, strict=True))
                self.samples.append(Sample(time.time(), cpu, rss / MB, peak / MB))

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
    if peer.command == PIPELINE:
        return []
    return [*route, route.group, *([peer.guarantee] if peer.guarantee else [])]


def environment() -> dict[str, str]:
    """Our environment, without the pipeline's settings, so that it runs with its defaults, and with cached bytecode."""
    return without_settings() | {"PYTHONDONTWRITEBYTECODE": ""}


def _environment(peer: Peer, route: Route) -> dict[str, str]:
    variables = environment() | dict(peer.variables)
    if peer.command == PIPELINE:
        variables |= {
            "Quix__Broker__Address": route.address,
            "Quix__Consumer_Group": route.group,
            "input": route.source,
            "output": route.target,
            "PROCESSING_GUARANTEE": peer.guarantee or "",
        }
    return variables
