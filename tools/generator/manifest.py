"""Writes the manifest: what was delivered where, and what must become of it. tools/verify/manifest.py reads it."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.errors import Failed, Misconfigured
from tools.generator.logins import WELL_FORMED, GeneratedRecord


class ManifestWriter:
    """Adds a JSON line to a file for each delivered record, each with one system call.

    Raises:
        Misconfigured: the file cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        self._name = file
        try:
            self._file = file.open("ab", buffering=0)
        except OSError as error:
            raise Misconfigured(f"cannot write {file} (--manifest): {error.strerror}") from error

    def add(self, record: GeneratedRecord, partition: int, offset: int) -> None:
        """Add a record and its place in the topic.

        Raises:
            Failed: the line cannot be written.
        """
        line = {
            "partition": partition,
            "offset": offset,
            "key": record.key.decode(),
            "reason": None if record.reason == WELL_FORMED else record.reason,
            "digest": record.digest,
        }
        try:
            self._file.write(f"{json.dumps(line)}\n".encode())
        except OSError as error:
            raise Failed(f"cannot write {self._name} (--manifest): {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
