"""Why a record is malformed, the tag that says so, and the way back from a tagged value to its input."""

import base64
import hashlib
import json
from enum import StrEnum
from typing import NamedTuple

import msgspec

from transforms.members import top_level
from transforms.syntax import JSONSyntaxError, check_syntax


class Reason(StrEnum):
    """The reasons, in the order in which they are tried."""

    NULL_VALUE = "null_value"
    EMPTY_VALUE = "empty_value"
    INVALID_UTF8 = "invalid_utf8"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_DEVICE_TYPE = "missing_device_type"
    DUPLICATE_DEVICE_TYPE = "duplicate_device_type"
    INVALID_DEVICE_TYPE = "invalid_device_type"
    TRANSFORM_FAILED = "transform_failed"
    REFUSED_TIMESTAMP = "refused_timestamp"
    TOO_LARGE = "too_large"


class Malformed(NamedTuple):
    """A malformed record: why, one sentence on it without any field's value, and the tagged value to produce."""

    reason: Reason
    detail: str
    value: bytes | None


def tag(reason: Reason, detail: str, value: bytes, text: bytes | None = None) -> Malformed:
    """Tag a value.

    Args:
        reason: the first of the reasons that holds.
        detail: one short sentence for a person; it must not quote the value.
        value: the input. If it is an object without a member `malformed`, the tag becomes its last member; any other
            is put into an object that holds the tag.
        text: if the value is a JSON object, its plain form, as `check_syntax` gives it.
    """
    if text is not None and not _has_malformed(text):
        return spliced(reason, detail, value)
    try:
        raw = '"raw":' + _quoted(value.decode())
    except UnicodeDecodeError:
        raw = '"raw_base64":"' + base64.b64encode(value).decode() + '"'
    return Malformed(reason, detail, b"{" + _member(reason, detail, raw) + b"}")


def spliced(reason: Reason, detail: str, value: bytes) -> Malformed:
    """Tag a JSON object that has no top-level member `malformed`: the tag becomes its last member, all else stays."""
    brace = value.rindex(b"}")
    comma = b"," if b'"' in value else b""  # only an empty object has no quotes
    return Malformed(reason, detail, value[:brace] + comma + _member(reason, detail) + value[brace:])


def tag_input(reason: Reason, detail: str, value: bytes | None) -> Malformed:
    """Tag any input value, of which nothing is known; None stays None."""
    if value is None:
        return Malformed(reason, detail, None)
    try:
        value.decode()
        text = check_syntax(value)
    except (UnicodeDecodeError, JSONSyntaxError):
        return tag(reason, detail, value)
    return tag(reason, detail, value, text if text.lstrip().startswith(b"{") else None)


def refused_timestamp(result: bytes | Malformed, value: bytes | None, timestamp: int) -> Malformed:
    """Tag a record whose timestamp the output topic refuses; a record that is malformed already stays as it is.

    Args:
        result: what the transforms gave.
        value: the input value.
        timestamp: the record's own, in milliseconds.
    """
    if isinstance(result, Malformed):
        return result
    return tag_input(Reason.REFUSED_TIMESTAMP, f"the output topic refuses the timestamp {timestamp}", value)


def too_large(value: bytes | None, detail: str, *, topic: str, partition: int, offset: int) -> Malformed:
    """Tag a record that does not fit into the output topic: a stub that says where the whole record still is."""
    content = value or b""
    place = json.dumps(
        {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "topic": topic,
            "partition": partition,
            "offset": offset,
        },
        separators=(",", ":"),
    )
    return Malformed(Reason.TOO_LARGE, detail, b"{" + _member(Reason.TOO_LARGE, detail, place[1:-1]) + b"}")


def original(tagged: bytes | None) -> bytes | None:
    """Give back the input value, byte for byte, of which `tagged` was made.

    Raises:
        ValueError: `tagged` bears no tag, or is the stub of a record that was too large.
    """
    if tagged is None:
        return None
    begin = tagged.rfind(_OPENING)
    end = tagged.rfind(b"}", 0, max(tagged.rfind(b"}"), 0)) + 1
    try:
        found = json.loads(tagged[begin + len(_NAME) : end]) if begin >= 0 else {}
        reason, detail = Reason(found.pop("reason", "")), str(found.pop("detail"))
        if reason is Reason.TOO_LARGE:
            raise ValueError("a record that was too large is only where its stub says")
        value = _inside(found) if found else tagged[:begin].removesuffix(b",") + tagged[end:]
        again = tag(reason, detail, value) if found else spliced(reason, detail, value)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("the value bears no tag") from error
    if again.value != tagged:
        raise ValueError("the value bears no tag")
    return value


def _inside(found: dict[str, str]) -> bytes:
    """The input inside a tag."""
    return found["raw"].encode() if "raw" in found else base64.b64decode(found["raw_base64"], validate=True)


class _Object(msgspec.Struct, gc=False):
    malformed: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def _has_malformed(text: bytes) -> bool:
    """Whether the JSON object of which this is the plain form has a top-level member `malformed`."""
    try:
        return _decode(text).malformed is not msgspec.UNSET
    except RecursionError:  # the stack is nearly full
        return any(top_level(text, "malformed"))


_decode = msgspec.json.Decoder(_Object).decode
_NAME = b'"malformed":'
_OPENING = _NAME + b'{"reason":'


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _member(reason: Reason, detail: str, more: str = "") -> bytes:
    text = f'{{"reason":"{reason}","detail":{_quoted(detail)}{"," if more else ""}{more}}}'
    return _NAME + text.encode()
