"""Reads single keys from a terminal, and restores its settings."""

import os
import select
import sys
import termios
import tty
from contextlib import suppress
from typing import Self

_ESCAPE = b"\x1b"  # an arrow key sends it, and letters after it


class Keys:
    """The keys that are pressed while the block runs; none if standard input is not this process's terminal.

    Ctrl-C stays a signal. Ctrl-Z has no effect: a stopped process could not restore the terminal.

    Args:
        wanted: whether to read keys at all.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and sys.stdin.isatty()
        self._terminal = sys.stdin.fileno()
        self._settings: list[int | list[bytes | int]] | None = None

    @property
    def are_read(self) -> bool:
        """Whether keys have an effect."""
        return self._settings is not None

    def pressed(self) -> str:
        """The letters since the last call."""
        if not self.are_read or not select.select([self._terminal], [], [], 0)[0]:
            return ""
        with suppress(OSError):  # the terminal was closed
            letters = os.read(self._terminal, 64)
            return "" if _ESCAPE in letters else letters.decode("ascii", "ignore").lower()
        return ""

    def __enter__(self) -> Self:
        if self._wanted and _is_foreground(self._terminal):
            self._settings = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
            changed = termios.tcgetattr(self._terminal)
            changed[6][termios.VSUSP] = bytes([os.fpathconf(self._terminal, "PC_VDISABLE")])
            termios.tcsetattr(self._terminal, termios.TCSANOW, changed)
        return self

    def __exit__(self, *_: object) -> None:
        if self._settings is not None:
            with suppress(termios.error):  # the terminal was closed
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._settings)
            self._settings = None


def _is_foreground(terminal: int) -> bool:
    """Whether this process may change the terminal's settings: a background process would be stopped."""
    with suppress(OSError):
        return os.tcgetpgrp(terminal) == os.getpgrp()
    return False
