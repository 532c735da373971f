"""Finds members of a JSON object in its bytes, and changes them in place."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import accumulate

import msgspec

from transforms.syntax import (
    MARK,
    NESTING_LIMIT,
    JSONSyntaxError,
    Object,
    check_syntax,
    count_brackets,
    outside_strings,
    simplify,
    too_deep_at,
)


def replace_member(value: bytes, name: str, change: Callable[[str], str]) -> bytes:
    """Change the text of a top-level member in place. Every other byte stays as it is.

    Args:
        value: a record's value. If it is not a JSON object, it is returned as it is.
        name: the member's name, in ASCII letters, digits, "_", "-" and ".". Keys with escaped letters match, too. If
            several members have the name, all are changed.
        change: maps a member's decoded text to the new one. It is only called for strings. If the text stays the
            same, so do its bytes.
    """
    try:
        _, members = parse(value, name)
    except (UnicodeDecodeError, JSONSyntaxError):
        return value
    parts, end = [], 0
    for _, start, literal in members:
        changed = literal and _changed(literal, change)
        if changed != literal:
            parts += [value[end:start], changed]
            end = start + len(literal)
    return b"".join([*parts, value[end:]]) if parts else value


def parse(value: bytes, name: str) -> tuple[Object | msgspec.Raw, Iterator[tuple[int, int, bytes]]]:
    """Check the syntax, and find the top-level members of this name, as for `replace_member`.

    Returns:
        The object (Raw if the value is none), and of each member, in order, the offsets of its key and its value, and
        the value's literal (empty if it is not a string).

    Raises:
        UnicodeDecodeError: the value is not UTF-8.
        JSONSyntaxError: it is not JSON, or nested deeper than NESTING_LIMIT.
    """
    value.decode()
    text = simplify(value)
    top = check_syntax(text, None) if count_brackets(text, NESTING_LIMIT) <= NESTING_LIMIT else None
    if top is not None and not isinstance(top, Object):
        return top, iter(())
    spelled = _decode_letters(text)
    length = len(f'{name}"')  # of what `_key` matches: a mark as long as that keeps the offsets
    between = _key(name).split(spelled)
    marked = (b'"' + MARK).rjust(length).join(between)
    outside = list(outside_strings(marked)) if len(between) > 1 or top is None else []
    if top is None:
        too_deep = too_deep_at(marked, outside)
        if too_deep is not None:
            too_deep = next(_before_decoding(text, spelled, [too_deep]))
            if text[too_deep] not in b"[{":  # decoded from an escape outside strings, which is a syntax error
                too_deep = None
        top = check_syntax(text, too_deep)
    ends = list(accumulate(map(len, between)))
    keys = (ends[number] + number * length - 1 for number in _top_level_keys(outside))
    return top, _members(value, text, _before_decoding(text, spelled, keys))


def _members(value: bytes, text: bytes, keys: Iterable[int]) -> Iterator[tuple[int, int, bytes]]:
    for key in keys:
        colon = _colon.match(text, text.index(b'"', key + 1) + 1)
        if colon:
            start = colon.end()
            end = text.index(b'"', start + 1) + 1 if text[start : start + 1] == b'"' else start
            yield key, start, value[start:end]


def _decode_letters(text: bytes) -> bytes:
    """Decode escapes of letters, so that a name has one spelling. The number of quotes stays the same."""
    if rb"\u00" not in text:
        return text
    try:
        return text.replace(rb"\u0022", b"?").decode("raw_unicode_escape").encode("latin-1", "replace")
    except UnicodeDecodeError:  # the syntax is wrong
        return text


def _top_level_keys(outside: list[tuple[int, bool, bytes]]) -> Iterator[int]:
    """The indexes of those marks that are at the top level."""
    level = 0
    for number, between in enumerate(b"".join(part for *_, part in outside).split(MARK)[:-1]):
        if between and between != b"01":
            level += 2 * between.count(b"1") - len(between)
        if level == 1:
            yield number


def _before_decoding(text: bytes, spelled: bytes, offsets: Iterable[int]) -> Iterator[int]:
    """Convert ascending offsets in `spelled`, which is `_decode_letters(text)`, to offsets in `text`."""
    if spelled is text:
        yield from offsets
        return
    end = passed = 0
    for offset in offsets:
        begin, end, passed = end, end + offset - passed, offset
        while escapes := text.count(rb"\u", begin, end + 1):
            begin, end = end, end + escapes * len(r"u0000")
        yield end


def _changed(literal: bytes, change: Callable[[str], str]) -> bytes:
    """The literal of the changed text, or the same literal if the text stays the same."""
    before = json.loads(literal)
    after = change(before)
    if after == before:
        return literal
    try:
        return json.dumps(after, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate needs an escape
        return json.dumps(after).encode()


_colon = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+")


@cache
def _key(name: str) -> re.Pattern[bytes]:
    """Matches the literal of this name, without its first quote, which is slow to search for, if a colon follows."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"a member's name must consist of ASCII letters, digits, '_', '-' and '.' (got {name!r})")
    return re.compile(rf'{re.escape(name)}(?<="{re.escape(name)})"(?=[ \t\n\r]*+:)'.encode())
