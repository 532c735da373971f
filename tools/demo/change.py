"""Draws what the pipeline has changed in a value: the part that differs, with a little before and after it."""

import re
from dataclasses import dataclass
from itertools import takewhile

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tools.printable import printable

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
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    removed, rest = _cut(old[start : len(old) - end], columns // 3), old[len(old) - end :][:_AFTER]
    sign = " → " if removed else " + "
    room = columns - cell_len(removed) - cell_len(sign) - cell_len(rest)
    added = _cut(new[start : len(new) - end], max(1, room - min(columns // 6, start)))
    same = _cut(old[:start][::-1], min(_BEFORE, room - cell_len(added)))[::-1]
    return Text.assemble((same, "dim"), (removed, "bold"), (sign, "dim"), (added, ADDED), (rest, "dim"))


def _common(old: str, new: str) -> int:
    """How many first characters are the same, without a part of a word."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
    same = "".join(one for one, _ in pairs)
    is_in_word = any(text[len(same) :][:1].isalnum() for text in (old, new))
    return len(re.sub(r"\w+$", "", same) if is_in_word else same)


def _cut(text: str, columns: int) -> str:
    """The begin of a text, within these columns."""
    if cell_len(text) <= columns:
        return text
    return f"{set_cell_size(text[:columns], columns - 1)}…" if columns > 0 else ""
