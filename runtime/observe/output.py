"""Writes results to standard output. An error of standard output becomes one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import Failed


class UnwritableError(Failed):
    """Standard output cannot be written: its reader has ended, or its disk is full."""


@contextmanager
def writing() -> Iterator[None]:
    """Write to standard output. After an error, the rest goes to /dev/null.

    Raises:
        UnwritableError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        raise UnwritableError(f"cannot write to standard output: {error.strerror or error}") from error


def say(text: str) -> None:
    """Print a line at once. A character that the encoding of standard output lacks becomes an escape.

    Raises:
        UnwritableError: it cannot be written.
    """
    encoding = sys.stdout.encoding or "utf-8"
    with writing():
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)  # noqa: T201  (standard output is for results, the log is on standard error)
