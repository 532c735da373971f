"""The demo's processes: workers in one consumer group, which are added and killed, and login generators."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription, MemberDescription

from tools.child_process import ChildProcess
from tools.demo.view import PARTITIONS, Board
from tools.printable import printable

ROOT = Path(__file__).parents[2]

_STOPPED = (0, -signal.SIGTERM)  # the latter before it handles SIGTERM
_LOG_LINES = 5


class Child(ChildProcess):
    """A Python process. Processes of the same name log into the same file in `folder`.

    With `may_end`, it may end by itself with exit code 0.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], env: Mapping[str, str], folder: Path, *, may_end: bool
    ) -> None:
        self._name, self._may_end, self._stopped = name, may_end, False
        self._log = folder / f"{name}.log"
        command = [sys.executable, *arguments]
        with self._log.open("ab") as log:
            super().__init__(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)

    def terminate(self) -> None:
        """Send SIGTERM, if it runs, but only once: a second one would kill a process that is ending."""
        if not self._stopped and self.poll() is None:
            self._stopped = True
            super().terminate()

    def problem(self) -> str | None:
        """How it ended, with the last lines of its log, or None if it runs or may have ended so."""
        code = self.poll()
        if code is None or (self._stopped and code in _STOPPED) or (self._may_end and code == 0):
            return None
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        return f"the process {self._name} {how}; its log ends:\n{end_of(self._log)}"


def end_of(log: Path) -> str:
    """The last lines of a log, safe to print on a terminal."""
    return "\n".join(f"  {printable(line)}" for line in log.read_bytes().splitlines()[-_LOG_LINES:])


class Workers:
    """The workers. A killed one has a successor with the same INSTANCE_ID, which resumes its partitions at once."""

    def __init__(self, launch: Callable[[int, str], Child], admin: AdminClient, group: str, board: Board) -> None:
        self._launch, self._admin, self._group, self._board = launch, admin, group, board
        self._running: dict[int, Child] = {}  # by number; the one that has run longest is first
        self._killed: dict[int, tuple[str, float]] = {}  # its id in the group, and when, until the successor is back
        self._answer: Future[ConsumerGroupDescription] | None = None
        self._members: dict[str, MemberDescription] = {}

    def add(self) -> None:
        """Start one more, unless it would have no partition."""
        if len(self._running) < PARTITIONS:
            number = len(self._running) + 1
            self._running[number] = self._launch(number, _instance(number))

    def kill(self) -> None:
        """Kill the one that has run longest, with SIGKILL, and start its successor."""
        number, child = next(iter(self._running.items()))
        del self._running[number]
        child.end()
        member = self._members.get(_instance(number))
        self._killed[number] = (member.member_id if member else "", time.monotonic())
        self._board.kills += 1
        self._board.event = f"worker {number} killed (SIGKILL)"
        self._running[number] = self._launch(number, _instance(number))

    def update(self) -> None:
        """Show all of them, by number, with their partitions from the broker's last answer, without waiting for it."""
        if self._answer is None or self._answer.done():
            with suppress(KafkaException):  # it is busy, or has stopped
                found = self._answer.result().members if self._answer else []
                self._members = {member.group_instance_id: member for member in found}
            self._answer = self._admin.describe_consumer_groups([self._group])[self._group]
        children = sorted(self._running.items())
        self._board.workers = [(f"{number}", f"pid {child.pid}", self._state(number)) for number, child in children]

    def _state(self, number: int) -> str:
        if self._running[number].poll() is not None:
            return "stopped"
        member = self._members.get(_instance(number))
        former_id, killed = self._killed.get(number, ("", 0.0))
        if member is None or member.member_id == former_id:  # each process gets a new id
            return "starting"
        partitions = sorted(place.partition for place in member.assignment.topic_partitions)
        if partitions and number in self._killed:
            del self._killed[number]
            self._board.event = f"worker {number} was back after {time.monotonic() - killed:.1f} s"
        return " ".join(["partitions", *map(str, partitions)]) if partitions else "waiting for partitions"


def _instance(number: int) -> str:
    return f"worker-{number}"
