"""`python -m tools.demo` as a process of its own, on a terminal or not, and all that it starts."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO, NamedTuple

from tests.kafka import TIMEOUT
from tests.process import is_alive
from tools.child_process import ChildProcess
from tools.waiting import wait_until

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "tools.demo"]
ON_TERMINAL = """
import os, pty, sys, termios
os.dup2(os.open(sys.argv[1], os.O_RDWR), 0)  # what is typed
settings = []
def read(terminal):
    settings.append(termios.tcgetattr(terminal))
    return os.read(terminal, 1024)
code = os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read))
looks = (settings[len(settings) // 2], settings[-1])
meanwhile, end = ("as before" if one == settings[0] else "changed" for one in looks)
print(f"terminal: {meanwhile} meanwhile, {end} at the end", file=sys.stderr)
sys.exit(code)
"""
LAST_LINE = re.compile(
    r"demo: (\d+) in, (\d+) out, (\d+) malformed, (\d+) workers?, (\d+) killed: "
    r"(?:(\d+) not yet counted|([\d,]+) lost, 0 twice, 0 wrong(?:, (\d+) not processed)?)"
)
PLAIN_LINE = re.compile(
    r"demo: (starting|running|stopping|done) (\d+) s, "
    r"(\d+) in \(\d+/s\), (\d+) out \(\d+/s\), (\d+) malformed, lag (\d+)"
)
TERMINAL_KEPT = "terminal: changed meanwhile, as before at the end"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_GENERATIONS = 5  # terminal, demo, its children, the shells that guard these, and one to spare


class Figures(NamedTuple):
    """What the last line says. `is_counted` is whether it says of the missing ones that they are lost."""

    records_in: int
    records_out: int
    malformed: int
    workers: int
    killed: int
    missing: int
    is_counted: bool


class DemoProcess:
    """One run of the demo.

    Args:
        folder: where it puts its temporary files; a new one.
        on_terminal: whether it thinks so; what is typed reaches it as from a keyboard. Its lines have no escapes.
        redirection: what a shell does with its standard output; then its exit code is its last line of errors.
        settings: variables of its environment.
    """

    def __init__(
        self, folder: Path, *, on_terminal: bool = False, redirection: str | None = None, **settings: str
    ) -> None:
        command = COMMAND
        if on_terminal:
            command = [sys.executable, "-c", ON_TERMINAL, f"{folder}-keyboard", *COMMAND]
        elif redirection is not None:
            command = ["/bin/sh", "-c", f'{{ "$@"; echo "$?" >&2; }} {redirection}', "sh", *COMMAND]
        folder.mkdir()
        self.folder = folder
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._seen: dict[int, str] = {}
        self._keyboard = folder.with_name(f"{folder.name}-keyboard")
        os.mkfifo(self._keyboard)
        self._process = ChildProcess(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(folder), "SEED": "1", **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        streams = ((self._process.stdout, self.lines), (self._process.stderr, self.errors))
        drop = _ESCAPE if on_terminal else re.compile("$^")
        self._readers = [threading.Thread(target=_read, args=(*both, drop), daemon=True) for both in streams]
        for reader in self._readers:
            reader.start()

    @property
    def report(self) -> str:
        """All that it printed so far."""
        return "\n".join([*self.lines, *self.errors])

    def descendants(self) -> dict[int, str]:
        """The command lines of all the processes under it, by their ids."""
        table = [line.split(maxsplit=2) for line in _ps("-A", "-ww", "-o", "pid=,ppid=,args=").splitlines()]
        found = {str(self._process.pid): ""}
        for _ in range(_GENERATIONS):
            found |= {pid: command for pid, parent, command in table if parent in found}
        del found[str(self._process.pid)]
        children = {int(pid): command for pid, command in found.items()}
        self._seen |= children
        return children

    def child(self, word: str) -> int:
        """The id of the process whose command line holds this word, once there is one."""

        def find() -> int | None:
            return next((pid for pid, command in self.descendants().items() if word in command.split()), None)

        return wait_until(find, f"a process with {word!r}") or 0

    def pid(self) -> int:
        """The id of the demo's own process, which a shell or a terminal has started."""
        return next(pid for pid, command in self.descendants().items() if command.split()[1:] == COMMAND[1:])

    def wait_for(self, condition: Callable[[str], object], what: str) -> None:
        """Wait until it has printed a line that fits."""

        def printed() -> bool:
            ended = not self._readers[0].is_alive()
            found = any(map(condition, list(self.lines)))
            assert found or not ended, f"it ended without {what}:\n{self.report}"
            return found

        wait_until(printed, what, 4 * TIMEOUT)

    def wait_for_output(self) -> None:
        """Wait until a plain line tells of processed records, when all processes are known."""
        self.wait_for(lambda line: (match := PLAIN_LINE.fullmatch(line)) and int(match[4]), "a processed record")
        self.descendants()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, and it alone."""
        self._process.send_signal(number)

    def type(self, text: str) -> None:
        """Type on its terminal."""
        self._keyboard.write_text(text)

    def wait(self, timeout: float = 2 * TIMEOUT) -> int:
        """The exit code, once it has ended and every line is here."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {timeout:g} s:\n{self.report}") from None
        for reader in self._readers:
            reader.join(TIMEOUT)
        return self._process.returncode

    def figures(self) -> Figures:
        """What its last line says."""
        match = LAST_LINE.fullmatch(self.lines[-1])
        assert match, self.report
        counts = [int((group or "0").replace(",", "")) for group in match.groups()]
        records_in, records_out, malformed, workers, killed = counts[:5]
        return Figures(records_in, records_out, malformed, workers, killed, sum(counts[5:]), match[6] is None)

    def left(self) -> list[str]:
        """What stays of its processes, as far as `descendants` has seen them, and of its files."""
        with suppress(TimeoutError):
            wait_until(lambda: not any(map(is_alive, self._seen)), "its processes' end")
        processes = [command for pid, command in self._seen.items() if is_alive(pid)]
        return processes + [str(file) for file in self.folder.iterdir()]

    def close(self) -> None:
        """End it and its children."""
        if self._process.poll() is None:
            self.descendants()
            self._process.stop(TIMEOUT)
        for pid in filter(is_alive, self._seen):
            os.kill(pid, signal.SIGKILL)
        self.wait()


def _read(stream: IO[bytes] | None, lines: list[str], drop: re.Pattern[str]) -> None:
    assert stream is not None
    with TextIOWrapper(stream, "utf-8") as text:
        lines.extend(drop.sub("", line.rstrip("\r\n")) for line in text)


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S607
