"""Reads the tag of a malformed record's output value by Python's `json`, without the code that wrote it."""

import json
from base64 import b64decode
from typing import NamedTuple

_KEY = b'"malformed":'
_OWN = {"reason", "detail"}
_decode = json.JSONDecoder().raw_decode


class Untagged(NamedTuple):
    """The reason in a tag, and the input value."""

    reason: str
    value: bytes


def untag(tagged: bytes) -> Untagged:
    """Take the tag off a value.

    Raises:
        ValueError: it has no tag, or the tag does not have the whole input.
    """
    begin = tagged.rindex(_KEY + b"{")
    text = tagged[begin + len(_KEY) :].decode()
    tag, end = _decode(text)
    head, tail = tagged[:begin], text[end:].encode()
    if not all(isinstance(content, str) for content in tag.values()):
        raise ValueError("the tag has a member that is no text")
    if tag.keys() == _OWN:
        return Untagged(tag["reason"], head.removesuffix(b",") + tail)
    if (head, tail) != (b"{", b"}"):
        raise ValueError("the tag is not the value's only member")
    if tag.keys() == {*_OWN, "raw"}:
        return Untagged(tag["reason"], tag["raw"].encode())
    if tag.keys() == {*_OWN, "raw_base64"}:
        return Untagged(tag["reason"], b64decode(tag["raw_base64"], validate=True))
    raise ValueError("the tag does not have the input")
