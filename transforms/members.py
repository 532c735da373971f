"""Where the members of a JSON object are in its bytes, and how to change one in place."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache

from transforms.syntax import JSONSyntaxError, check_syntax, outside_strings


def replace_member(value: bytes, name: str, change: Callable[[str], str]) -> bytes:
    """Change the text of a top-level member in place, and leave every other byte as it is.

    Args:
        value: a record's value. If it is not a JSON object, it is given back as it is.
        name: the member's name, in ASCII letters, digits, "_", "-" and ".". Names are compared decoded: an escape may
            spell any of their letters. If there are several members of that name, all are changed; if there is none,
            nothing is.
        change: gets a member's text, decoded, and gives the new one. It is not called for what is not a string. If it
            gives the same text, the member stays as it was spelled.
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
            parts += [value[end:start], changed_literal(literal, change)]
            end = start + len(literal)
    return b"".join([*parts, value[end:]]) if parts else value


def top_level(text: bytes, name: str) -> Iterator[tuple[int, int]]:
    """The offsets of the keys of this name and of their values, in the object that `text` holds, in order.

    Args:
        text: JSON, as `check_syntax` gives it.
        name: as for `replace_member`.
    """
    literal, spelled, key = _patterns(name)
    if rb"\u00" in text:
        text = spelled.sub(lambda found: literal.ljust(len(found[0])), text)
    if literal not in text:
        return
    marked = outside_strings(b"\0".join(text.split(literal)), _NO_STRUCTURE).replace(b"\0:", b"\1")
    level = 0
    for brackets, found in zip(marked.translate(_ROUND, b"\0:,").split(b"\1"), key.finditer(text), strict=False):
        level += 2 * brackets.count(b"(") - len(brackets)
        if level == 1:
            yield found.span()


def string_literal(value: bytes, text: bytes, start: int) -> bytes:
    """The literal of the string that begins at `start`; `text` is what `check_syntax` gives of the value."""
    return value[start : text.index(b'"', start + 1) + 1]


def changed_literal(literal: bytes, change: Callable[[str], str]) -> bytes:
    """The literal of the changed text; the same one if the text stays."""
    before = json.loads(literal)
    after = change(before)
    if after == before:
        return literal
    try:
        return json.dumps(after, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair can only be spelled by an escape
        return json.dumps(after).encode()


_NO_STRUCTURE = bytes(set(range(256)) - set(b'{[}]",:\0'))
_ROUND = bytes.maketrans(b"{[}]", b"(())")


@cache
def _patterns(name: str) -> tuple[bytes, re.Pattern[bytes], re.Pattern[bytes]]:
    """A name's literal; what finds it with escapes; what finds a key that is spelled without."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"a member's name must be of ASCII letters, digits, '_', '-' and '.' (got {name!r})")
    letters = (rb"(?:%b|\\u00(?i:%02x))" % (re.escape(letter.encode()), ord(letter)) for letter in name)
    literal = b'"%b"' % name.encode()
    return (
        literal,
        re.compile(b'"%b"' % b"".join(letters)),
        re.compile(rb"%b[ \t\n\r]*+:[ \t\n\r]*+" % re.escape(literal)),
    )
