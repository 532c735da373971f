"""Where the members of a JSON object lie in its bytes (RFC 8259, byte by byte, nothing decoded)."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

NESTING_LIMIT = 128
"""The deepest nesting that is taken for JSON; the outermost value is level 1."""

_SPACE = rb"[ \t\n\r]*+"
_PLAIN = rb'[^"\\\x00-\x1f]*+'
_ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})'
_STRING = rb'"%b(?:%b%b)*+"' % (_PLAIN, _ESCAPE, _PLAIN)
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_SCALAR = rb"(?:%b|%b|true|false|null)" % (_STRING, _NUMBER)
_KEY = rb"%b(%b)%b:" % (_SPACE, _STRING, _SPACE)

_spaces = re.compile(_SPACE)
_value = re.compile(rb"%b(?:%b|([{\[]))" % (_SPACE, _SCALAR))
_key = re.compile(_KEY)
_member = re.compile(rb"%b%b(%b)%b([,}])" % (_KEY, _SPACE, _SCALAR, _SPACE))
_unfinished_string = re.compile(rb'"%b(?:%b%b)*+' % (_PLAIN, _ESCAPE, _PLAIN))
_after_value = {
    b"}": re.compile(rb"%b([,}])" % _SPACE),
    b"]": re.compile(rb"%b([,\]])" % _SPACE),
}
_end_of_empty = {closer: re.compile(_SPACE + re.escape(closer)) for closer in _after_value}
# What a container holds before its last or first nested value, passed over in one step.
_run = {
    b"}": re.compile(rb"(?:%b%b%b%b,)*+" % (_KEY.replace(b"(%b)" % _STRING, _STRING), _SPACE, _SCALAR, _SPACE)),
    b"]": re.compile(rb"(?:%b%b%b,)*+" % (_SPACE, _SCALAR, _SPACE)),
}


class JSONSyntaxError(ValueError):
    """The text is not JSON; `str()` says why and at which byte, without quoting the text."""


class Member(NamedTuple):
    """A member of the top-level object: its name, where its key begins, where its value begins and ends."""

    name: str
    at: int
    start: int
    end: int


def members(data: bytes, *names: str) -> list[Member] | None:
    """List the members of these names in the object that `data` holds, in order; None where it holds no object.

    Args:
        data: valid UTF-8.
        names: plain ASCII. Keys are compared decoded: an escape may spell any of their letters.

    Raises:
        JSONSyntaxError: `data` is not one JSON text, or is nested deeper than NESTING_LIMIT.
    """
    at = _end_of_spaces(data, 0)
    if data[at : at + 1] != b"{":
        found, at = None, _skip(data, at, depth=0)
    else:
        found, at = _object(data, at + 1, {json.dumps(name).encode(): name for name in names})
    end = _end_of_spaces(data, at)
    if end != len(data):
        raise JSONSyntaxError(f"more text after the JSON value, at byte {end}")
    return found


def _object(data: bytes, at: int, wanted: Mapping[bytes, str]) -> tuple[list[Member], int]:
    """The top-level object's wanted members, and where it ends; `at` is behind its opening brace."""
    found: list[Member] = []
    if empty := _end_of_empty[b"}"].match(data, at):
        return found, empty.end()
    while True:
        if key := _member.match(data, at):
            start, end = key.span(2)
            following, at = key[3], key.end()
        else:
            if not (key := _key.match(data, at)):
                _fail(data, at, wanted_key=True)
            start = _end_of_spaces(data, key.end())
            end = _skip(data, start, depth=1)
            following, at = _separator(data, end, b"}")
        if name := wanted.get(_without_escapes(key[1])):
            found.append(Member(name, key.start(1), start, end))
        if following == b"}":
            return found, at


def _without_escapes(key: bytes) -> bytes:
    """A key's literal without needless escapes."""
    return key if b"\\" not in key else json.dumps(json.loads(key)).encode()


def _skip(data: bytes, at: int, depth: int) -> int:
    """The end of the value that begins at `at` inside `depth` containers."""
    closers: list[bytes] = []
    while True:
        if not (value := _value.match(data, at)):
            _fail(data, at)
        at = value.end()
        if opener := value[1]:
            closer = b"}" if opener == b"{" else b"]"
            if depth + len(closers) == NESTING_LIMIT:
                raise JSONSyntaxError(f"nested deeper than {NESTING_LIMIT} levels, at byte {at - 1}")
            if empty := _end_of_empty[closer].match(data, at):
                at = empty.end()
            else:
                closers.append(closer)
                at = _next_value(data, at, closer)
                continue
        while closers:
            following, at = _separator(data, at, closers[-1])
            if following == b",":
                at = _next_value(data, at, closers[-1])
                break
            closers.pop()
        else:
            return at


def _next_value(data: bytes, at: int, closer: bytes) -> int:
    """Where the next value to look at begins in the container that `closer` ends."""
    if run := _run[closer].match(data, at):
        at = run.end()
    if closer == b"]":
        return at
    if not (named := _key.match(data, at)):
        _fail(data, at, wanted_key=True)
    return named.end()


def _separator(data: bytes, at: int, closer: bytes) -> tuple[bytes, int]:
    if not (found := _after_value[closer].match(data, at)):
        _fail(data, at)
    return found[1], found.end()


def _end_of_spaces(data: bytes, at: int) -> int:
    found = _spaces.match(data, at)
    return found.end() if found else at


def _fail(data: bytes, at: int, *, wanted_key: bool = False) -> NoReturn:
    """Raise for the first byte at or after `at` that can't stand where it stands."""
    at = _end_of_spaces(data, at)
    if string := _unfinished_string.match(data, at):
        if data[string.end() : string.end() + 1] != b'"':
            at = string.end()
        elif wanted_key:  # it is whole, so what is missing is its colon
            at = _end_of_spaces(data, string.end() + 1)
    if at >= len(data):
        raise JSONSyntaxError(f"the JSON text ends too early, at byte {at}")
    raise JSONSyntaxError(f"unexpected character at byte {at}")
