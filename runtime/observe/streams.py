"""Standard streams that are closed, or cannot be written to because a disk is full or a reader has ended."""

import os
import sys
from pathlib import Path


def replace_closed() -> None:
    """Open the null device for each standard stream that is closed.

    Libraries expect these streams, and the next file or connection would get the number of a closed one.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  (open until the exit)


def discard_unwritable() -> None:
    """Discard what cannot be written to a standard stream. Otherwise, Python changes the exit code to 120.

    For standard output, for example with `--help`, standard error then has one line.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if stream is sys.stdout:
                sys.stderr.write(f"cannot write to standard output: {error.strerror}\n")
