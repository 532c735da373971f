"""The demo's keys: what is typed, and the terminal's settings."""

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tools.demo import keys
from tools.demo.keys import Keys
from tools.waiting import wait_until

IS_FOREGROUND = keys._is_foreground


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Makes standard input a terminal in the foreground; what is written here is typed on it."""
    keyboard, terminal = os.openpty()
    monkeypatch.setattr(keys, "_is_foreground", lambda _: True)
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield keyboard
    with suppress(OSError):
        os.close(keyboard)


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
def test_pressed(keyboard: int, typed: bytes, letters: str) -> None:
    """Letters arrive at once, without Enter, in lower case; arrow keys are not taken for letters."""
    with Keys(wanted=True) as pressed:
        assert pressed.are_read
        assert pressed.pressed() == ""
        os.write(keyboard, typed + b"!")
        found = wait_until(pressed.pressed, "a key") if letters else pressed.pressed()
    assert found.removesuffix("!") == letters


@pytest.mark.usefixtures("keyboard")
def test_settings() -> None:
    """Meanwhile there is no echo, and Ctrl-C stays a signal; afterwards, also after an error, all is as before."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def fail() -> None:
        with Keys(wanted=True):
            flags = termios.tcgetattr(terminal)[3]
            assert flags & (termios.ECHO | termios.ICANON | termios.ISIG) == termios.ISIG
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert termios.tcgetattr(terminal) == before


def test_closed_terminal(keyboard: int) -> None:
    """A terminal that is closed meanwhile raises no error."""
    with Keys(wanted=True) as pressed:
        os.close(keyboard)
        assert pressed.pressed() == ""


@pytest.mark.parametrize("why", ["not wanted", "not its own terminal", "no terminal"])
def test_no_keys(keyboard: int, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Without a live screen, with another process's terminal, or without any, no key is read and nothing changes."""
    if why == "not its own terminal":
        monkeypatch.setattr(keys, "_is_foreground", IS_FOREGROUND)
    if why == "no terminal":
        monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    before = termios.tcgetattr(keyboard)
    with Keys(wanted=why != "not wanted") as pressed:
        os.write(keyboard, b"k\n")
        assert not pressed.are_read
        assert pressed.pressed() == ""
        assert termios.tcgetattr(keyboard) == before
