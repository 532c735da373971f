"""Draws what the pipeline has changed in a value: the part that differs, with a little before and after it."""

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tools.printable import printable
from tools.tail.lines import common_start

ADDED = "bold color(28)"  # a green that can be read on white and on black

_MOST = 4096  # bytes: what is longer is cut
_BEFORE, _AFTER = 28, 2  # columns of the text around a difference, at most


@dataclass(frozen=True)
class Pair:
    """One record before and after the pipeline: its place in the input topic, its key, and both values."""

    partition: int
    offset: int
    key: bytes | None
    before: bytes | None
    after: bytes | None
    reason: str | None


def change(before: bytes | None, after: bytes | None, columns: int) -> Text:
    """The change of a value: `same{old → new}same`, or `same + new` if it was only added."""
    old, new = ("null" if value is None else printable(value[:_MOST]) for value in (before, after))
    if old == new:
        return Text(_cut(old, columns), "dim italic" if before is None else "dim")
    start = common_start(old, new)
    end = common_start(old[start:][::-1], new[start:][::-1])
    removed, rest = _cut(old[start : len(old) - end], columns // 3), old[len(old) - end :][:_AFTER]
    sign = " → " if removed else " + "
    room = columns - cell_len(removed) - cell_len(sign) - cell_len(rest)
    added = _cut(new[start : len(new) - end], max(1, room - min(columns // 6, start)))
    same = _cut(old[:start][::-1], min(_BEFORE, room - cell_len(added)))[::-1]
    return Text.assemble((same, "dim"), (removed, "bold"), (sign, "dim"), (added, ADDED), (rest, "dim"))


def _cut(text: str, columns: int) -> str:
    """The begin of a text, within these columns."""
    if cell_len(text) <= columns:
        return text
    return f"{set_cell_size(text[:columns], columns - 1)}…" if columns > 0 else ""
