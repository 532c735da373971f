"""The folders of the embedded broker, and errors that name them."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runtime.errors import Failed


class BrokerError(Failed):
    """The embedded broker cannot be started. The first line of the message says why."""


def cache_folder() -> Path:
    """The folder of downloaded files, under `$XDG_CACHE_HOME` or `~/.cache`. It is created if needed.

    Raises:
        BrokerError: there is no home directory, or Java cannot use the path.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base).absolute() if base else Path.home() / ".cache") / "user-login-pipeline"
    except RuntimeError as error:
        raise BrokerError("there is no home directory: set XDG_CACHE_HOME to a folder for Apache Kafka") from error
    check_path(folder, ":", "XDG_CACHE_HOME")  # Java's class path is a list
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_path(folder: Path, separator: str, variable: str) -> None:
    """Refuse a folder whose path Java cannot read.

    Raises:
        BrokerError: it has the character that separates paths, or is not UTF-8; `variable` is the setting to change.
    """
    try:
        is_readable = separator not in os.fsencode(folder).decode()
    except UnicodeDecodeError:
        is_readable = False
    if not is_readable:
        raise BrokerError(f"Java cannot use {str(folder)!r}: set {variable} to a path in UTF-8 without {separator!r}")


@contextmanager
def names_the_file() -> Iterator[None]:
    """Turn an error of the file system into one that names the file and the settings.

    Raises:
        BrokerError: a file or a folder cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise BrokerError(
            f"cannot use {error.filename or 'a file'}: {error.strerror or error}; set XDG_CACHE_HOME (downloads) or "
            "TMPDIR (data) to a folder that can be written"
        ) from error


def remove_old(files: Iterable[Path], seconds: float) -> None:
    """Remove the files that were not modified for this many seconds."""
    for file in files:
        with suppress(FileNotFoundError):  # another process may do the same
            if time.time() - file.stat().st_mtime > seconds:
                file.unlink()
