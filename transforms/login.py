"""The transform of a login: `device_type` in upper case, or the reason why the record is malformed."""

import json
import re
from itertools import islice

import msgspec
from msgspec import UNSET

from transforms.malformed import Malformed, Reason, tag, tag_object
from transforms.members import parse
from transforms.syntax import NESTING_LIMIT, JSONSyntaxError, Object, count_brackets


def upper_device_type(value: bytes | None) -> bytes | Malformed:
    """Upper-case the top-level `device_type`. Every other byte stays as it is.

    Args:
        value: the record's input value; None for a tombstone.

    Returns:
        The output value (`value` itself if nothing changes), or Malformed with a reason and the tagged value.
    """
    # The fast path. msgspec checks the JSON, but not the UTF-8 of skipped text; it takes the last of duplicate keys and
    # has no fixed nesting limit. So these are checked here. Only an escaped letter can spell a key in another way.
    if (
        value is None
        or (len(value) > _MAX_SHALLOW_LENGTH and count_brackets(value, NESTING_LIMIT) > NESTING_LIMIT)
        or (_BACKSLASH in value and _has_escaped_letters(value))
    ):
        return slow_path(value)
    try:
        if not value.isascii():
            value.decode()
        text = _decode(value).device_type
    except (ValueError, RecursionError):
        return slow_path(value)
    if text is UNSET:
        return slow_path(value) if b"malformed" in value else tag_object(Reason.MISSING_DEVICE_TYPE, _MISSING, value)
    if value.count(b"device_type") != 1:
        return slow_path(value)
    try:
        spaced, spaced_upper, compact, compact_upper = _changes[text]
    except KeyError:
        spaced, spaced_upper, compact, compact_upper = _cache_change(text)
    if spaced is spaced_upper:
        return value if text.strip() else slow_path(value)
    output = value.replace(spaced, spaced_upper, 1)
    if output is value:
        output = value.replace(compact, compact_upper, 1)
    return slow_path(value) if output is value else output


class _Login(msgspec.Struct, gc=False):
    device_type: str | msgspec.UnsetType = UNSET


_MISSING = "there is no device_type at the top level"

_decode = msgspec.json.Decoder(_Login).decode
_MAX_SHALLOW_LENGTH = 2 * NESTING_LIMIT  # bytes; deeper nesting needs more brackets than that
_BACKSLASH = ord("\\")  # a search for a number is five times faster than one for bytes
_has_escaped_letters = re.compile(rb"\\u00[567]").search
_SPACINGS = (b'"device_type": "%b"', b'"device_type":"%b"')
_MAX_CACHED, _MAX_CACHED_LENGTH = 1000, 100  # limits the memory for any input
_changes: dict[str, tuple[bytes, bytes, bytes, bytes]] = {}


def _cache_change(text: str) -> tuple[bytes, bytes, bytes, bytes]:
    """The bytes to replace and their replacements: spaced, then compact. An unchanged spaced one is the same object."""
    spaced, compact = (pattern % text.encode() for pattern in _SPACINGS)
    upper = text.upper().encode()
    spaced_upper, compact_upper = (pattern % upper for pattern in _SPACINGS)
    change = (spaced, spaced if spaced_upper == spaced else spaced_upper, compact, compact_upper)
    if len(_changes) < _MAX_CACHED and len(text) < _MAX_CACHED_LENGTH:
        _changes[text] = change
    return change


def slow_path(value: bytes | None) -> bytes | Malformed:
    """Do the same as `upper_device_type`, without its fast path."""
    if value is None:
        return Malformed(Reason.NULL_VALUE, "the record has no value", None)
    if not value.strip(b" \t\n\r"):
        return tag(Reason.EMPTY_VALUE, "the value is empty or only white space", value)
    try:
        top, members = parse(value, "device_type")
    except UnicodeDecodeError as error:
        return tag(Reason.INVALID_UTF8, f"not UTF-8, at byte {error.start}", value)
    except JSONSyntaxError as error:
        return tag(Reason.INVALID_JSON, str(error), value)
    if not isinstance(top, Object):
        return tag(Reason.NOT_AN_OBJECT, "the value is JSON, but not an object", value)
    return _login(value, top, list(islice(members, 2)))


def _login(value: bytes, top: Object, device_types: list[tuple[int, int, bytes]]) -> bytes | Malformed:
    """The outcome for a JSON object and the first two of its members `device_type` (as of `parse`)."""
    if not device_types:
        return tag(Reason.MISSING_DEVICE_TYPE, _MISSING, value, top)
    if len(device_types) > 1:
        detail = f"device_type is given more than once, the second time at byte {device_types[1][0]}"
        return tag(Reason.DUPLICATE_DEVICE_TYPE, detail, value, top)
    _, start, literal = device_types[0]
    if not literal:
        return tag(Reason.INVALID_DEVICE_TYPE, f"device_type is not a string, at byte {start}", value, top)
    device_type: str = json.loads(literal)
    if problem := _problem(device_type):
        return tag(Reason.INVALID_DEVICE_TYPE, f"device_type {problem}, at byte {start}", value, top)
    upper = device_type.upper()
    if upper == device_type:
        return value
    return value[:start] + json.dumps(upper, ensure_ascii=False).encode() + value[start + len(literal) :]


def _problem(text: str) -> str | None:
    """Why this text is not a device type, or None if it is one."""
    if not text.strip():
        return "is blank"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate"
    return None
