"""The contract of one record, implemented a second time with Python's `json`: the reference for tests and faults."""

import json
import re
from base64 import b64encode
from typing import Any, NamedTuple, NoReturn

from transforms import NESTING_LIMIT, Malformed

OK = "ok"
_TAGGED_INSIDE = {"missing_device_type", "duplicate_device_type", "invalid_device_type"}


class Reading(NamedTuple):
    """The result for one value: `ok` and the output, or a reason."""

    verdict: str
    output: bytes | None = None
    has_malformed: bool = False


class _Pairs(list[tuple[str, Any]]):
    """An object's members in order, duplicates kept."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# Numbers stay text: Python refuses to make an integer of more than 4,300 digits.
_decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_refuse, parse_int=str, parse_float=str)
_string_or_bracket = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_spaces = re.compile(r"[ \t\n\r]*")


def read(value: bytes | None) -> Reading:
    """Return the contract's result for a value."""
    if value is None:
        return Reading("null_value")
    if set(value) <= set(b" \t\n\r"):
        return Reading("empty_value")
    try:
        return _read_text(value.decode("utf-8", "strict"))
    except UnicodeDecodeError:
        return Reading("invalid_utf8")


def _read_text(text: str) -> Reading:
    if deepest_level(text) > NESTING_LIMIT:
        return Reading("invalid_json")
    try:
        document, end = _decoder.raw_decode(text, _past_spaces(text, 0))
    except ValueError:
        return Reading("invalid_json")
    if _past_spaces(text, end) != len(text):
        return Reading("invalid_json")
    return _read_object(text, document)


def deepest_level(text: str) -> int:
    """The deepest nesting of brackets outside strings."""
    level = deepest = 0
    for found in _string_or_bracket.finditer(text):
        if found[0] in "[{":
            level += 1
            deepest = max(deepest, level)
        elif found[0] in "]}":
            level -= 1
    return deepest


def assert_kept(value: bytes | None, result: bytes | Malformed) -> None:
    """Fail unless `result` is right for `value`: verdict, output, tag and detail."""
    reading = read(value)
    if isinstance(result, Malformed):
        assert result.reason == reading.verdict
        assert_tagged(value, result, has_malformed=reading.has_malformed)
    else:
        assert (OK, result) == (reading.verdict, reading.output)
        assert result is value or result != value, "an untouched value is passed on, not copied"


def assert_tagged(value: bytes | None, result: Malformed, *, has_malformed: bool) -> None:
    """Fail unless the tagged value is `value` with the contract's tag in it, or the tag with `value` in it."""
    assert re.fullmatch(r"[ -~]{10,100}", result.detail), "one short sentence in ASCII"
    if value is None:
        assert result.value is None
        return
    assert result.value is not None
    reason, detail = str(result.reason), json.dumps(result.detail)
    start = b'"malformed":{"reason":"%b","detail":%b' % (reason.encode(), detail.encode())
    tag: dict[str, str] = {"reason": reason, "detail": result.detail}
    if reason in _TAGGED_INSIDE and not has_malformed:
        head, brace, tail = value.rpartition(b"}")
        comma = b"" if head.strip(b" \t\n\r") == b"{" else b","
        assert result.value == head + comma + start + b"}" + brace + tail
        assert _members(result.value)[-1] == ("malformed", _Pairs(tag.items()))
        return
    try:
        tag["raw"] = value.decode()
    except UnicodeDecodeError:
        tag["raw_base64"] = b64encode(value).decode()
    assert result.value == json.dumps({"malformed": tag}, ensure_ascii=False, separators=(",", ":")).encode()
    assert _members(result.value) == [("malformed", _Pairs(tag.items()))]


def _members(value: bytes) -> Any:  # noqa: ANN401  (JSON)
    return _decoder.decode(value.decode())


def _read_object(text: str, document: Any) -> Reading:  # noqa: ANN401  (JSON)
    if not isinstance(document, _Pairs):
        return Reading("not_an_object")
    device_types = [value for key, value in document if key == "device_type"]
    has_malformed = any(key == "malformed" for key, _ in document)
    if not device_types:
        return Reading("missing_device_type", None, has_malformed)
    if len(device_types) > 1:
        return Reading("duplicate_device_type", None, has_malformed)
    start, end = _literal_of_device_type(text)
    literal, device_type = text[start:end], device_types[0]
    if literal[0] != '"' or not device_type.strip() or any("\ud800" <= c <= "\udfff" for c in device_type):
        return Reading("invalid_device_type", None, has_malformed)
    upper = device_type.upper()
    if upper != device_type:
        literal = json.dumps(upper, ensure_ascii=False) if "\\" in literal else f'"{upper}"'
    return Reading(OK, (text[:start] + literal + text[end:]).encode(), has_malformed)


def _literal_of_device_type(text: str) -> tuple[int, int]:
    """The begin and end of the top-level `device_type`'s value in the text of a JSON object that has one."""
    at = text.index("{")
    while True:
        key, at = _decoder.raw_decode(text, _past_spaces(text, at + 1))
        colon = _past_spaces(text, at)
        start = _past_spaces(text, colon + 1)
        _, end = _decoder.raw_decode(text, start)
        if key == "device_type":
            return start, end
        at = _past_spaces(text, end)


def _past_spaces(text: str, at: int) -> int:
    found = _spaces.match(text, at)
    assert found is not None
    return found.end()
