"""Checks JSON syntax (RFC 8259), and finds the first wrong byte."""

import re
import threading
from itertools import accumulate
from operator import add
from typing import NoReturn

import msgspec

NESTING_LIMIT = 128
"""The deepest nesting that is accepted; the outermost value is level 1."""

CHUNK = 16_384
"""Bytes that are searched at once: a part that fits into the processor's cache."""


class JSONSyntaxError(ValueError):
    """The text is not JSON; `str()` says why and at which byte, without quoting the text."""


def check_syntax(data: bytes) -> bytes:
    """Check that this is one JSON text, and give its simplified form (`simplify`).

    Args:
        data: valid UTF-8.

    Raises:
        JSONSyntaxError: it is not JSON, or nested deeper than NESTING_LIMIT.
    """
    text = simplify(data)
    too_deep = too_deep_at(text)
    checked = text if too_deep is None else text[:too_deep]
    error = _msgspec_error(checked)
    if too_deep is not None and error == _TRUNCATED:
        raise JSONSyntaxError(f"nested deeper than {NESTING_LIMIT} levels, at byte {too_deep}")
    if error is not None:
        _raise(checked, error)
    return text


def simplify(data: bytes) -> bytes:
    """Replace escapes that make a text hard to search with others of the same length.

    Then each quote begins or ends a string, and there are no lone surrogates, which msgspec would refuse.
    """
    if b"\\" not in data:
        return data
    data = data.replace(rb"\\", _OVERWRITTEN).replace(rb"\"", _OVERWRITTEN)
    return data.replace(rb"\ud", rb"\ue").replace(rb"\uD", rb"\ue")


def outside_strings(text: bytes, others: bytes, *, inside: bool = False) -> bytes:
    """Give the bytes outside strings.

    Args:
        text: simplified JSON.
        others: further bytes to omit.
        inside: whether the text begins inside a string.
    """
    # Two quotes in a row do not change what is outside. Removing them leaves few pieces to split.
    pieces = text.translate(None, others).replace(b'""', b"").split(b'"')
    return b"".join(pieces[inside::2])


def all_outside_strings(text: bytes, others: bytes) -> bytes:
    """Do the same for a long text, in parts that fit into the processor's cache."""
    found, inside = [], False
    for start in range(0, len(text), CHUNK):
        part = text[start : start + CHUNK]
        found.append(outside_strings(part, others, inside=inside))
        inside ^= part.count(b'"') % 2 == 1
    return b"".join(found)


def too_deep_at(text: bytes) -> int | None:
    """The offset of the first bracket beyond the nesting limit in a simplified text; None if there is none."""
    if count_brackets(text, NESTING_LIMIT) <= NESTING_LIMIT:
        return None
    level, inside = 0, False
    for start in range(0, len(text), CHUNK):
        chunk = text[start : start + CHUNK]
        bits = outside_strings(chunk, _NO_BRACKETS, inside=inside).translate(_BITS)
        opening = int(b"0" + bits, 2)
        number = _first_past(opening, len(bits), NESTING_LIMIT - level)
        if number is not None:
            return start + _offset_of_bracket(chunk, number, inside=inside)
        level += 2 * opening.bit_count() - len(bits)
        inside ^= chunk.count(b'"') % 2 == 1
    return None


def count_brackets(text: bytes, limit: int) -> int:
    """The number of opening brackets, including those in strings; not exact if above `limit`."""
    # Removing a few brackets is many times faster than counting all: it jumps from one to the next.
    without = len(text.replace(b"{", b"", limit + 1)) + len(text.replace(b"[", b"", limit + 1))
    return 2 * len(text) - without


_TRUNCATED = "Input data was truncated"
_OVERWRITTEN = b"\x7f\x7f"  # allowed in strings, and in no name that is searched for
_NO_BRACKETS = bytes(set(range(256)) - set(b'{[}]"'))
_BITS = bytes.maketrans(b"{[}]", b"1100")

_decode = msgspec.json.Decoder(msgspec.Raw).decode
_escape = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}|(?:u[0-9A-Fa-f]{0,3})?\Z)')
_word = re.compile(rb"true|false|null|(?:t|tr|tru|f|fa|fal|fals|n|nu|nul)\Z")


def _first_past(opening: int, count: int, limit: int) -> int | None:
    """The index of the first bracket deeper than `limit`, if any; each of `count` bits is 1 for an opening one."""
    size = -(-count // 8)
    eights = (opening << (8 * size - count)).to_bytes(size)
    levels = list(accumulate(memoryview(eights.translate(_RISES)).cast("b"), initial=0))
    peaks = list(map(add, levels, eights.translate(_PEAKS)))
    if max(peaks, default=0) <= limit:
        return None
    at = next(at for at, peak in enumerate(peaks) if peak > limit)
    return 8 * at + next(n for n in range(8) if levels[at] + _rise(eights[at], n + 1) > limit)


def _rise(eight: int, count: int) -> int:
    """By how many levels the first `count` of eight brackets, packed into a byte, deepen the nesting."""
    return 2 * (eight >> (8 - count)).bit_count() - count


_RISES = bytes(_rise(eight, 8) % 256 for eight in range(256))
_PEAKS = bytes(max(_rise(eight, count) for count in range(9)) for eight in range(256))


def _offset_of_bracket(text: bytes, number: int, *, inside: bool) -> int:
    """The offset of the bracket of this index, among those outside strings."""
    start, end = 0, len(text)
    while end - start > 1:
        middle = (start + end) // 2
        half = text[start:middle]
        count = len(outside_strings(half, _NO_BRACKETS, inside=inside))
        if number < count:
            end = middle
        else:
            start, number, inside = middle, number - count, inside ^ (half.count(b'"') % 2 == 1)
    return start


def _msgspec_error(text: bytes) -> str | None:
    """The error of msgspec for a simplified text; None if it is JSON."""
    try:
        _decode(text)
    except msgspec.DecodeError as error:
        return str(error)
    except RecursionError:  # in Python 3.11, nesting counts toward the recursion limit
        return _on_new_stack(text)
    return None


def _on_new_stack(text: bytes) -> str | None:
    errors: list[str | None] = []
    thread = threading.Thread(target=lambda: errors.append(_msgspec_error(text)), daemon=True)
    thread.start()
    thread.join()
    return errors[0]


def _raise(text: bytes, error: str) -> NoReturn:
    """Raise the error for the first wrong byte, derived from msgspec's text."""
    place = re.search(r"\(byte (\d+)\)", error)
    at = int(place[1]) if place else len(text)
    if "trailing characters" in error:
        raise JSONSyntaxError(f"more text after the JSON value, at byte {at - 1}")
    at = _bad_token(text, at)
    if at >= len(text):
        raise JSONSyntaxError(f"the JSON text ends too early, at byte {at}")
    raise JSONSyntaxError(f"unexpected character at byte {at}")


def _bad_token(text: bytes, end: int) -> int:
    """The start of the wrong escape or word in the few bytes before `end`; `end` if there is none."""
    for at in range(max(0, end - len(rb"\u0000")), end):
        first = text[at : at + 1]
        if first == b"\\" and not _escape.match(text, at):
            return at
        if first in (b"t", b"f", b"n") and not _word.match(text, at) and text.count(b'"', 0, at) % 2 == 0:
            return at
    return end
