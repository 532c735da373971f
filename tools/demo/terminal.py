"""Shows the demo's figures, live on a terminal, otherwise one plain line per second, and reads single keys."""

import os
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from runtime.observe.output import say, writing
from tools.demo.view import Board, plain, screen

_TICK = 0.2  # seconds between two views on a terminal
_ESCAPE = b"\x1b"  # an arrow key sends it, and letters after it


class Screen:
    """The live view on a terminal, otherwise one plain line per second."""

    def __init__(self, board: Board) -> None:
        self.is_live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._board = board
        self._due, self._shown = 0.0, ("", 0)
        self._console = Console(force_terminal=True)
        self._live = Live(console=self._console, screen=True, auto_refresh=False, get_renderable=self._view)

    def show(self) -> None:
        """Show the figures, unless the last ones are very recent and of the same state."""
        last, self._shown = self._shown, (self._board.state, int(self._board.seconds))
        if self.is_live:
            if time.monotonic() >= self._due or self._shown[0] != last[0]:
                self._due = time.monotonic() + _TICK
                with writing():
                    self._live.refresh()
        elif self._shown != last:
            say(plain(self._board))

    def __enter__(self) -> Self:
        if self.is_live:
            with writing():
                self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_live:
            with writing():
                self._live.stop()
                self._console.print(self._view())  # the live screen is cleared at its end

    def _view(self) -> RenderableType:
        return screen(self._board, *self._console.size)


@contextmanager
def keyboard(*, wanted: bool) -> Iterator[Callable[[], str] | None]:
    """Give a function that returns the letters since its last call.

    Give None instead if it is not wanted, or without a terminal of ours.

    Ctrl-C stays a signal. Ctrl-Z has no effect: a stopped process could not restore the terminal.
    """
    terminal = sys.stdin.fileno()
    if not (wanted and sys.stdin.isatty() and _is_foreground(terminal)):
        yield None
        return
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        settings = termios.tcgetattr(terminal)
        settings[6][termios.VSUSP] = bytes([os.fpathconf(terminal, "PC_VDISABLE")])
        settings[6][termios.VMIN] = 0  # reading does not wait
        termios.tcsetattr(terminal, termios.TCSANOW, settings)
        yield lambda: _pressed(terminal)
    finally:
        with suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def _pressed(terminal: int) -> str:
    letters = b""
    with suppress(OSError):  # the terminal was closed
        letters = os.read(terminal, 64)
    return "" if _ESCAPE in letters else letters.decode("ascii", "ignore").lower()


def _is_foreground(terminal: int) -> bool:
    """Whether this process may change the terminal's settings: a background process would be stopped."""
    with suppress(OSError):
        return os.tcgetpgrp(terminal) == os.getpgrp()
    return False
