"""The map of a login: `device_type` upper-cased in place, or the reason why that can't be done."""

import json
import re
from itertools import islice

import msgspec
from msgspec import UNSET

from transforms.malformed import Malformed, Reason, spliced, tag
from transforms.members import string_literal, top_level
from transforms.syntax import NESTING_LIMIT, JSONSyntaxError, check_syntax, count_brackets, plain, too_deep_at


def upper_device_type(value: bytes | None) -> bytes | Malformed:
    """Upper-case the text of the top-level `device_type` and leave every other byte as it is.

    Args:
        value: a record's value as it came; None for a tombstone.

    Returns:
        The output value (`value` itself where nothing changes), or Malformed with a reason and the tagged value.
    """
    # msgspec checks the JSON but not the UTF-8 of the text that it skips, takes the last of duplicate keys, and knows
    # no fixed nesting limit: hence the checks around it. Only an escape of a letter can spell a key differently.
    if (
        value is None
        or (_BACKSLASH in value and _spells_letters(value))
        or (len(value) > _SURELY_SHALLOW and not _is_shallow(value))
    ):
        return exact(value)
    try:
        if not value.isascii():
            value.decode()
        text = _decode(value).device_type
    except (ValueError, RecursionError):
        return exact(value)
    if text is UNSET:
        return exact(value) if b"malformed" in value else spliced(Reason.MISSING_DEVICE_TYPE, _MISSING, value)
    if value.count(b"device_type") != 1:
        return exact(value)
    try:
        spaced, spaced_upper, compact, compact_upper = _changes[text]
    except KeyError:
        spaced, spaced_upper, compact, compact_upper = _learn(text)
    if spaced is spaced_upper:
        return value if text.strip() else exact(value)
    output = value.replace(spaced, spaced_upper, 1)
    if output is value:
        output = value.replace(compact, compact_upper, 1)
    return exact(value) if output is value else output


class _Login(msgspec.Struct, gc=False):
    device_type: str | msgspec.UnsetType = UNSET


_MISSING = "there is no device_type at the top level"

_decode = msgspec.json.Decoder(_Login).decode
_SURELY_SHALLOW = 2 * NESTING_LIMIT  # bytes: deeper nesting takes as many brackets and more
_BACKSLASH = ord("\\")  # looked for as a number, which is five times quicker than as a text
_spells_letters = re.compile(rb"\\u00[567]").search
_SPACINGS = (b'"device_type": "%b"', b'"device_type":"%b"')
_CHANGES_KEPT, _LENGTH_KEPT = 1000, 100  # bounds the memory, whatever comes in
_changes: dict[str, tuple[bytes, bytes, bytes, bytes]] = {}
_MANY_BRACKETS = 1000  # in so many the exact path looks once, rather than both paths


def _is_shallow(value: bytes) -> bool:
    """Whether this value, if it is JSON, is nested no deeper than the limit; False, too, if it has many brackets."""
    brackets = count_brackets(value, _MANY_BRACKETS)
    return brackets <= NESTING_LIMIT or (brackets <= _MANY_BRACKETS and too_deep_at(plain(value)) is None)


def _learn(text: str) -> tuple[bytes, bytes, bytes, bytes]:
    """What to replace for this device type, and by what, as JSON is usually spaced; the same object for no change."""
    spaced, compact = (pattern % text.encode() for pattern in _SPACINGS)
    upper = text.upper().encode()
    spaced_upper, compact_upper = (pattern % upper for pattern in _SPACINGS)
    change = (spaced, spaced if spaced_upper == spaced else spaced_upper, compact, compact_upper)
    if len(_changes) < _CHANGES_KEPT and len(text) < _LENGTH_KEPT:
        _changes[text] = change
    return change


def exact(value: bytes | None) -> bytes | Malformed:
    """Do what `upper_device_type` does, for any value at all, without its short cut."""
    if value is None:
        return Malformed(Reason.NULL_VALUE, "the record has no value", None)
    if not value.strip(b" \t\n\r"):
        return tag(Reason.EMPTY_VALUE, "the value is empty or only white space", value)
    try:
        value.decode()
        text = check_syntax(value)
    except UnicodeDecodeError as error:
        return tag(Reason.INVALID_UTF8, f"not UTF-8, at byte {error.start}", value)
    except JSONSyntaxError as error:
        return tag(Reason.INVALID_JSON, str(error), value)
    if not text.lstrip().startswith(b"{"):
        return tag(Reason.NOT_AN_OBJECT, "the value is JSON, but not an object", value)
    return _login(value, text)


def _login(value: bytes, text: bytes) -> bytes | Malformed:
    """The outcome for a JSON object; `text` is its plain form."""
    device_types = list(islice(top_level(text, "device_type"), 2))
    if not device_types:
        return tag(Reason.MISSING_DEVICE_TYPE, _MISSING, value, text)
    if len(device_types) > 1:
        detail = f"device_type is given more than once, the second time at byte {device_types[1][0]}"
        return tag(Reason.DUPLICATE_DEVICE_TYPE, detail, value, text)
    _, start = device_types[0]
    if text[start : start + 1] != b'"':
        return tag(Reason.INVALID_DEVICE_TYPE, f"device_type is not a string, at byte {start}", value, text)
    literal = string_literal(value, text, start)
    device_type: str = json.loads(literal)
    if problem := _problem(device_type):
        return tag(Reason.INVALID_DEVICE_TYPE, f"device_type {problem}, at byte {start}", value, text)
    upper = device_type.upper()
    if upper == device_type:
        return value
    return value[:start] + json.dumps(upper, ensure_ascii=False).encode() + value[start + len(literal) :]


def _problem(text: str) -> str | None:
    """What keeps this text from being a device type."""
    if not text.strip():
        return "is blank"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate"
    return None
