"""The demo's keys: what is typed, and the terminal's settings."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tools.demo import terminal
from tools.demo.terminal import keyboard
from tools.waiting import wait_until

IS_FOREGROUND = terminal._is_foreground


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Makes standard input a terminal in the foreground. What is written here is typed on it."""
    typing, other_end = os.openpty()
    monkeypatch.setattr(terminal, "_is_foreground", lambda _: True)
    with os.fdopen(other_end) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield typing
    with suppress(OSError):
        os.close(typing)


@pytest.mark.parametrize(
    ("typed", "letters"),
    [
        (b"k", "k"),
        (b"W", "w"),
        (b"bq", "bq"),
        ("éq".encode(), "q"),
        (b"\x1b[B", ""),
        (b"\x1bOk", ""),
        (b"\x1a", "\x1a"),
    ],
)
def test_pressed(typing: int, typed: bytes, letters: str) -> None:
    """Letters arrive at once, without Enter, in lower case. Arrow keys are not taken for letters."""
    with keyboard(wanted=True) as pressed:
        assert pressed
        assert pressed() == ""
        os.write(typing, typed + b"!")
        found = wait_until(pressed, "a key") if letters else pressed()
    assert found.removesuffix("!") == letters


@pytest.mark.usefixtures("typing")
def test_settings() -> None:
    """Meanwhile there is no echo, and Ctrl-C stays a signal. Afterwards, also after an error, all is as before."""
    stdin = sys.stdin.fileno()
    before = termios.tcgetattr(stdin)

    def fail() -> None:
        with keyboard(wanted=True):
            flags = termios.tcgetattr(stdin)[3]
            assert flags & (termios.ECHO | termios.ICANON | termios.ISIG) == termios.ISIG
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert termios.tcgetattr(stdin) == before


def test_closed_terminal(typing: int) -> None:
    """A terminal that is closed meanwhile raises no error."""
    with keyboard(wanted=True) as pressed:
        os.close(typing)
        assert pressed
        assert pressed() == ""


@pytest.mark.parametrize("why", ["not wanted", "not its own terminal", "no terminal"])
def test_no_keys(typing: int, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Without a live screen, with another process's terminal, or without any, no key is read and nothing changes."""
    if why == "not its own terminal":
        monkeypatch.setattr(terminal, "_is_foreground", IS_FOREGROUND)
    if why == "no terminal":
        monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    before = termios.tcgetattr(typing)
    with keyboard(wanted=why != "not wanted") as pressed:
        assert pressed is None
        assert termios.tcgetattr(typing) == before
