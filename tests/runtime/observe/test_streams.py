"""Standard streams that are closed or cannot be written to."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REPLACES = """
import os, sys
from runtime.observe.streams import replace_closed
replace_closed()
print("out")
print("err", file=sys.stderr)
sys.stdin.read()
os._exit(0 if os.open(os.devnull, os.O_RDONLY) > 2 else 1)
"""
DISCARDS = """
import sys
from contextlib import suppress
from runtime.observe.streams import discard_unwritable
with suppress(OSError):
    print("err", file=sys.stderr)
discard_unwritable()
"""
HELPS = """
import argparse
from runtime.observe.streams import discard_unwritable
try:
    argparse.ArgumentParser().parse_args(["--help"])
finally:
    discard_unwritable()
"""


def run(code: str, redirect: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a shell that redirects its streams."""
    command = ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("redirect", "out", "err"),
    [
        ("", "out\n", "err\n"),
        ("<&-", "out\n", "err\n"),
        (">&-", "", "err\n"),
        ("2>&-", "out\n", ""),
        ("<&- >&- 2>&-", "", ""),
    ],
)
def test_replace_closed(redirect: str, out: str, err: str) -> None:
    """A closed stream is empty and discards what is written, and no file gets its number. The others stay."""
    ended = run(REPLACES, redirect)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, out, err)


@pytest.mark.parametrize(("redirect", "err"), [("", "err\n"), ("2>/dev/full", "")])
def test_discard_unwritable(redirect: str, err: str) -> None:
    """A line that cannot be written to standard error does not change the exit code."""
    ended = run(DISCARDS, redirect)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", err)


def test_unwritable_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """If standard output cannot be written, `--help` ends with one line, not with Python's exit code 120."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    ended = run(HELPS, ">/dev/full")
    assert ended.returncode == 0
    assert ended.stderr == "cannot write to standard output: No space left on device\n"
