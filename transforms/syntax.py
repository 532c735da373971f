"""Checks JSON syntax (RFC 8259), and finds the first wrong byte."""

import re
import threading
from collections.abc import Iterable, Iterator

import msgspec

NESTING_LIMIT = 128
"""The deepest nesting that is accepted. The outermost value is level 1."""

MARK = b"\xff"
"""Marks a place outside strings. No UTF-8 has this byte."""


class JSONSyntaxError(ValueError):
    """The text is not JSON. `str()` says why and at which byte, without quoting the text."""


class Object(msgspec.Struct, gc=False):
    """A JSON object, without the members that have no special meaning."""

    malformed: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def check_syntax(text: bytes, too_deep: int | None) -> Object | msgspec.Raw:
    """Check that a simplified text is one JSON text.

    Args:
        text: valid UTF-8, simplified.
        too_deep: the offset of the first bracket beyond the nesting limit, if there is one.

    Raises:
        JSONSyntaxError: it is not JSON, or nested deeper than NESTING_LIMIT.
    """
    checked = text[:too_deep]
    result = _decoded(checked)
    if not isinstance(result, msgspec.DecodeError):
        return result
    error = str(result)
    if too_deep is not None and error == _TRUNCATED:
        raise JSONSyntaxError(f"nested deeper than {NESTING_LIMIT} levels, at byte {too_deep}")
    raise _first_error(checked, error)


def simplify(data: bytes) -> bytes:
    """Replace escapes that make a text hard to search with others of the same length.

    Then each quote begins or ends a string, and there are no lone surrogates, which msgspec would refuse.
    """
    if b"\\" not in data:
        return data
    data = data.replace(rb"\\", _OVERWRITTEN).replace(rb"\"", _OVERWRITTEN)
    return data.replace(rb"\ud", rb"\ue").replace(rb"\uD", rb"\ue")


def outside_strings(text: bytes, *, inside: bool = False) -> Iterator[tuple[int, bool, bytes]]:
    """Give what is outside strings, for one part of the text after the other.

    Args:
        text: simplified JSON.
        inside: whether the text begins inside a string.

    Yields:
        The part's offset, whether it begins inside a string, and from outside strings "1" for each opening bracket, "0"
        for each closing one, and each MARK.
    """
    for start in range(0, len(text), _CHUNK):
        pieces = text[start : start + _CHUNK].translate(_BITS, _OTHERS).split(b'"')
        yield start, inside, b"".join(pieces[inside::2])
        inside ^= len(pieces) % 2 == 0


def too_deep_at(text: bytes, outside: Iterable[tuple[int, bool, bytes]]) -> int | None:
    """The offset of the first bracket beyond the nesting limit, or None if there is none.

    Args:
        text: simplified JSON.
        outside: all of its `outside_strings`.
    """
    level = 0
    for start, inside, part in outside:
        brackets = part.translate(None, MARK)
        opening = int(b"0" + brackets, 2)
        at = _first_past(opening, len(brackets), NESTING_LIMIT - level)
        if at is not None:
            return _offset_of_bracket(text, start, at, inside=inside)
        level += 2 * opening.bit_count() - len(brackets)
    return None


def count_brackets(text: bytes, limit: int) -> int:
    """The number of opening brackets, including those in strings. It is not exact if above `limit`."""
    # Removing a few brackets is many times faster than counting all: it jumps from one to the next.
    without = len(text.replace(b"{", b"", limit + 1)) + len(text.replace(b"[", b"", limit + 1))
    return 2 * len(text) - without


_CHUNK = 8192  # bytes that are searched at once: they fit into the processor's cache
_TRUNCATED = "Input data was truncated"
_OVERWRITTEN = b"\x7f\x7f"  # allowed in strings, and in no name that is searched for
_BITS = bytes.maketrans(b"{[}]", b"1100")
_OTHERS = bytes(set(range(256)) - set(b'{[}]"' + MARK))

_decode_object = msgspec.json.Decoder(Object).decode
_decode_other = msgspec.json.Decoder(msgspec.Raw).decode
_escape = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}|(?:u[0-9A-Fa-f]{0,3})?\Z)')
_word = re.compile(rb"true|false|null|(?:t|tr|tru|f|fa|fal|fals|n|nu|nul)\Z")


def _first_past(opening: int, count: int, limit: int) -> int | None:
    """The index of the first bracket deeper than `limit`, if any. Each of `count` bits is 1 for an opening one."""
    if opening.bit_count() <= limit:
        return None
    size = -(-count // 8)
    eights = (opening << (8 * size - count)).to_bytes(size)
    # All levels at once: each eight has 16 bits of one integer, and a division by 2**16 - 1 gives the sums before each.
    ones = (1 << 16 * size) // 0xFFFF
    levels = 2 * (_widen(eights.translate(_COUNTS)) // 0xFFFF) - 8 * (ones // 0xFFFF)
    past = (levels + _widen(eights.translate(_PEAKS)) + (0x7FFF - limit) * ones) & (0x8000 * ones)
    if not past:
        return None
    at = size - 1 - (past.bit_length() - 1) // 16
    level = 2 * int.from_bytes(eights[:at]).bit_count() - 8 * at
    return 8 * at + next(n for n in range(8) if level + _rise(eights[at], n + 1) > limit)


def _widen(data: bytes) -> int:
    """An integer with 16 bits for each byte."""
    return int.from_bytes(data.decode("latin-1").encode("utf-16-be"))


def _rise(eight: int, count: int) -> int:
    """By how many levels the first `count` of eight brackets, packed into a byte, deepen the nesting."""
    return 2 * (eight >> (8 - count)).bit_count() - count


_COUNTS = bytes(map(int.bit_count, range(256)))
_PEAKS = bytes(max(_rise(eight, count) for count in range(9)) for eight in range(256))


def _offset_of_bracket(text: bytes, start: int, number: int, *, inside: bool) -> int:
    """The offset of the bracket of this index, among those outside strings in the part that begins at `start`."""
    end = start + _CHUNK
    while end - start > 1:
        middle = (start + end) // 2
        half = text[start:middle]
        count = sum(len(part.translate(None, MARK)) for *_, part in outside_strings(half, inside=inside))
        if number < count:
            end = middle
        else:
            start, number, inside = middle, number - count, inside ^ (half.count(b'"') % 2 == 1)
    return start


def _decoded(text: bytes) -> Object | msgspec.Raw | msgspec.DecodeError:
    """What msgspec decodes, or its error, for a simplified text."""
    try:
        return _decode_object(text) if text.lstrip().startswith(b"{") else _decode_other(text)
    except msgspec.DecodeError as error:
        return error.with_traceback(None)  # it would keep its frames, and so the text, until the next gc
    except RecursionError:  # in Python 3.11, nesting counts toward the recursion limit
        return _on_new_stack(text)


def _on_new_stack(text: bytes) -> Object | msgspec.Raw | msgspec.DecodeError:
    results: list[Object | msgspec.Raw | msgspec.DecodeError] = []
    thread = threading.Thread(target=lambda: results.append(_decoded(text)), daemon=True)
    thread.start()
    thread.join()
    return results[0]


def _first_error(text: bytes, error: str) -> JSONSyntaxError:
    """The error for the first wrong byte, derived from msgspec's text."""
    place = re.search(r"\(byte (\d+)\)", error)
    at = int(place[1]) if place else len(text)
    if "trailing characters" in error:
        return JSONSyntaxError(f"more text after the JSON value, at byte {at - 1}")
    at = _bad_token(text, at)
    if at >= len(text):
        return JSONSyntaxError(f"the JSON text ends too early, at byte {at}")
    return JSONSyntaxError(f"unexpected character at byte {at}")


def _bad_token(text: bytes, end: int) -> int:
    """The start of the wrong escape or word in the few bytes before `end`, or `end` if there is none."""
    for at in range(max(0, end - len(rb"\u0000")), end):
        first = text[at : at + 1]
        if first == b"\\" and not _escape.match(text, at):
            return at
        if first in (b"t", b"f", b"n") and not _word.match(text, at) and text.count(b'"', 0, at) % 2 == 0:
            return at
    return end
