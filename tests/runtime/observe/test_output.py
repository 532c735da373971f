"""Standard output that cannot be written."""

import io
import os
import sys
from pathlib import Path

import pytest

from runtime.observe.output import UnwritableError, say


def test_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is printed at once."""
    say("one")
    assert capsys.readouterr().out == "one\n"


def test_other_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that the terminal's encoding lacks is an escape, not an error."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1"))
    say("\u00e9 \u2603 \udc80")
    assert written.getvalue() == b"\xe9 \\u2603 \\udc80\n"


def test_unwritable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of standard output is one line. What is written after it is discarded without another error."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(UnwritableError, match=f"cannot write to standard output: {os.strerror(28)}"):
            say("one")
        say("two")
