"""Finds members of a JSON object in its bytes, and changes them in place."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import accumulate

from transforms.syntax import CHUNK, JSONSyntaxError, check_syntax, outside_strings


def replace_member(value: bytes, name: str, change: Callable[[str], str]) -> bytes:
    """Change the text of a top-level member in place; every other byte stays as it is.

    Args:
        value: a record's value. If it is not a JSON object, it is returned as it is.
        name: the member's name, in ASCII letters, digits, "_", "-" and ".". Keys with escaped letters match, too. If
            several members have the name, all are changed.
        change: maps a member's decoded text to the new one. It is only called for strings. If the text stays the
            same, so do its bytes.
    """
    try:
        value.decode()
        text = check_syntax(value)
    except (UnicodeDecodeError, JSONSyntaxError):
        return value
    parts, end = [], 0
    for _, start in top_level(text, name):
        if text[start : start + 1] == b'"':
            literal = string_literal(value, text, start)
            changed = _changed(literal, change)
            if changed != literal:
                parts += [value[end:start], changed]
                end = start + len(literal)
    return b"".join([*parts, value[end:]]) if parts else value


def top_level(text: bytes, name: str) -> Iterator[tuple[int, int]]:
    """The offsets of the keys of this name and of their values in the object `text`, in order.

    Args:
        text: the result of `check_syntax`.
        name: as for `replace_member`.
    """
    literal = _literal(name)
    padded = _decode_letters(text)
    spelled = padded.translate(None, b"\0")
    shift = _Shift(padded)
    for at in _offsets(spelled, literal, _top_level_keys(spelled, literal)):
        value = _colon.match(spelled, at + len(literal))
        if value:
            yield shift(at), shift(value.end())


def _decode_letters(text: bytes) -> bytes:
    """Decode escapes of letters; zero bytes in front of them keep the offsets of what follows."""
    if rb"\u00" not in text:
        return text
    text = text.replace(rb"\u0000", _PLACEHOLDER).replace(rb"\u0022", _PLACEHOLDER)  # not a zero byte or a quote
    return text.replace(rb"\u", _FILLER + rb"\u").decode("raw_unicode_escape").encode("latin-1", "replace")


def _top_level_keys(text: bytes, literal: bytes) -> Iterator[int]:
    """The indexes of those occurrences of this literal that are keys at the top level."""
    if literal not in text:
        return
    marked = b"".join(outside_strings(text.replace(literal, b"\1"), _NO_STRUCTURE)).replace(b"\1:", b"\2")
    number = level = 0
    for between in marked.translate(_ROUND, b":,").split(b"\2")[:-1]:
        if between and between != b")(":
            others = between.count(b"\1")
            number += others
            level += 2 * len(between.translate(None, b")\1")) + others - len(between)
        if level == 1:
            yield number
        number += 1


def _offsets(text: bytes, literal: bytes, numbers: Iterable[int]) -> Iterator[int]:
    """The offsets of the occurrences of this literal with these indexes, which ascend."""
    end = passed = count = 0
    before: list[int] = []
    for number in numbers:
        while number >= passed + count:  # a part without a wanted occurrence is only counted: splitting it is slow
            start, end, passed = end, end + CHUNK, passed + count
            part = text[start : end + len(literal) - 1]
            count, before = part.count(literal), []
        before = before or list(accumulate(map(len, part.split(literal))))
        yield start + before[number - passed] + (number - passed) * len(literal)


class _Shift:
    """Converts offsets in a text without its zero bytes to offsets in the whole text; call it in ascending order."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._short = self._whole = 0

    def __call__(self, offset: int) -> int:
        begin, end = self._whole, self._whole + offset - self._short
        while zeros := self._text.count(b"\0", begin, end):
            begin, end = end, end + zeros
        self._short, self._whole = offset, end
        return end


def string_literal(value: bytes, text: bytes, start: int) -> bytes:
    """The string literal that begins at `start`; `text` is the result of `check_syntax`."""
    return value[start : text.index(b'"', start + 1) + 1]


def _changed(literal: bytes, change: Callable[[str], str]) -> bytes:
    """The literal of the changed text; the same if the text stays."""
    before = json.loads(literal)
    after = change(before)
    if after == before:
        return literal
    try:
        return json.dumps(after, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate needs an escape
        return json.dumps(after).encode()


_colon = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+")
_NO_STRUCTURE = bytes(set(range(256)) - set(b'{[}]",:\1'))
_ROUND = bytes.maketrans(b"{[}]", b"(())")
_FILLER = b"\0" * 5  # an escape is this much longer than its letter
_PLACEHOLDER = _FILLER + b"?"


@cache
def _literal(name: str) -> bytes:
    """A name's literal."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"a member's name must consist of ASCII letters, digits, '_', '-' and '.' (got {name!r})")
    return b'"%b"' % name.encode()
