"""Reads the file of --edit: corrected values by place."""

from pathlib import Path
from typing import Annotated

import msgspec

from runtime.errors import Misconfigured

Edits = dict[tuple[int, int], bytes]
"""New values, by the partition and the offset of the dead letter."""

_Number = Annotated[int, msgspec.Meta(ge=0)]


class _Edit(msgspec.Struct):
    partition: _Number
    offset: _Number
    value: str
    topic: str | None = None


def read_edits(path: Path, topic: str) -> Edits:
    """Read JSON lines of `partition`, `offset` and `value`. Other members may follow, as in `tail --json`.

    Args:
        path: the file.
        topic: the dead-letter topic; a line that names another one is wrong.

    Raises:
        Misconfigured: the file cannot be read, or a line is wrong; the text has its number, and no value.
    """
    edits: Edits = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise Misconfigured(f"--edit {path} cannot be read: {error.strerror or error}") from None
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                _add(line, edits, topic)
        except (ValueError, RecursionError) as error:
            raise Misconfigured(f"--edit {path}, line {number}: {error}") from None
    return edits


def _add(line: bytes, edits: Edits, topic: str) -> None:
    edit = msgspec.json.decode(line, type=_Edit)
    if edit.topic not in {None, topic}:
        raise ValueError(f"the topic must be {topic}: the places are those of dead letters")
    if (edit.partition, edit.offset) in edits:
        raise ValueError("partition and offset are those of an earlier line")
    edits[edit.partition, edit.offset] = edit.value.encode()
