"""Malformed records: the reasons, the tag, and how to get the input back from a tagged value."""

import base64
import hashlib
import json
from enum import StrEnum
from typing import NamedTuple

import msgspec

from transforms.members import parse
from transforms.syntax import JSONSyntaxError, Object


class Reason(StrEnum):
    """The reasons, in the order of the checks."""

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
    """A malformed record: the reason, one sentence without any field's value, and the tagged value to produce."""

    reason: Reason
    detail: str
    value: bytes | None


def tag(reason: Reason, detail: str, value: bytes, top: Object | msgspec.Raw | None = None) -> Malformed:
    """Tag a value.

    Args:
        reason: the first reason that applies.
        detail: one short sentence; it must not quote the value.
        value: the input. If it is an object without a member `malformed`, the tag becomes its last member. Any other
            value is wrapped: the tag contains it.
        top: the object; anything else if the value is none.
    """
    if isinstance(top, Object) and top.malformed is msgspec.UNSET:
        return tag_object(reason, detail, value)
    try:
        member = _member(reason, detail, b',"raw":', msgspec.json.encode(value.decode()))
    except UnicodeDecodeError:
        member = _member(reason, detail, b',"raw_base64":"', base64.b64encode(value), b'"')
    return Malformed(reason, detail, b"{%b}" % member)


def tag_object(reason: Reason, detail: str, value: bytes) -> Malformed:
    """Tag a JSON object without a top-level member `malformed`: the tag becomes its last member."""
    brace = value.rindex(b"}")
    comma = b"," if b'"' in value else b""  # only an empty object has no quotes
    return Malformed(reason, detail, value[:brace] + comma + _member(reason, detail) + value[brace:])


def tag_input(reason: Reason, detail: str, value: bytes | None) -> Malformed:
    """Tag any input value. None stays None."""
    if value is None:
        return Malformed(reason, detail, None)
    try:
        top, _ = parse(value, "malformed")
    except (UnicodeDecodeError, JSONSyntaxError):
        return tag(reason, detail, value)
    return tag(reason, detail, value, top)


def refused_timestamp(result: bytes | Malformed, value: bytes | None, timestamp: int) -> Malformed:
    """Tag a record whose timestamp the output topic refuses, unless it is already malformed.

    Args:
        result: the transforms' result.
        value: the input value.
        timestamp: the record's timestamp, in milliseconds.
    """
    if isinstance(result, Malformed):
        return result
    return tag_input(Reason.REFUSED_TIMESTAMP, f"the output topic refuses the timestamp {timestamp}", value)


def too_large(value: bytes | None, detail: str, *, topic: str, partition: int, offset: int) -> Malformed:
    """Replace a record that is too large for the output topic with a stub, which says where the input is."""
    content = value or b""
    place = msgspec.json.encode(
        {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "topic": topic,
            "partition": partition,
            "offset": offset,
        }
    )
    return Malformed(Reason.TOO_LARGE, detail, b"{%b}" % _member(Reason.TOO_LARGE, detail, b",", place[1:-1]))


def original(tagged: bytes | None) -> bytes | None:
    """Give the input value of a tagged value, byte for byte.

    Raises:
        ValueError: `tagged` has no tag, or is the stub of a record that was too large.
    """
    if tagged is None:
        return None
    begin = tagged.rfind(_TAG_START)
    end = tagged.rfind(b"}", 0, max(tagged.rfind(b"}"), 0)) + 1
    try:
        content = json.loads(tagged[begin + len(_KEY) : end]) if begin >= 0 else {}
        reason, detail = Reason(content.pop("reason", "")), str(content.pop("detail"))
        if reason is Reason.TOO_LARGE:
            raise ValueError("the record was too large: only its stub is here")
        value = _wrapped(content) if content else tagged[:begin].removesuffix(b",") + tagged[end:]
        tagged_again = tag(reason, detail, value) if content else tag_object(reason, detail, value)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("the value has no tag") from error
    if tagged_again.value != tagged:
        raise ValueError("the value has no tag")
    return value


def _wrapped(content: dict[str, str]) -> bytes:
    """The input that a tag contains."""
    return content["raw"].encode() if "raw" in content else base64.b64decode(content["raw_base64"], validate=True)


_KEY = b'"malformed":'
_TAG_START = _KEY + b'{"reason":'


def _member(reason: Reason, detail: str, *more: bytes) -> bytes:
    """The member `malformed`. `more` is what follows the detail. Few copies are made: a value may have some MiB."""
    head = b'%b"%b","detail":%b' % (_TAG_START, reason.encode(), msgspec.json.encode(detail))
    return b"".join([head, *more, b"}"])
