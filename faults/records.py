"""The records of the faults' load, each with an id, and their right output, without the transforms' code."""

import re
from base64 import b64encode
from hashlib import shake_256
from typing import NamedTuple

from tools.verify.untagged import untag

MALFORMED_PER_MILLE = 25
"""Malformed records in a thousand."""
TRACED = 7
"""One in this many records has a header, `trace`, of one byte."""

_KEYLESS = 16  # one in this many logins has no key
_DEVICES = ((b"android", b"ANDROID"), (b"iOS", b"IOS"), ("straße".encode(), b"STRASSE"), (b"web 2", b"WEB 2"))
# The example in docs/transforms.md does not change this ip, so the load also works with it.
_LOGIN = b'{"id": "%b", "app_version": "2.3.0", "ip": "10.%d.%d.0", "device_type": "%b", "pad": "%b"}'
_MALFORMED: tuple[tuple[bytes, bytes | None], ...] = (
    (b"null_value", None),
    (b"empty_value", b" \n"),
    (b"invalid_utf8", b'{"id": "%b", "city": "\xff", "device_type": "ios"}'),
    (b"invalid_json", b'{"id": "%b", "device_type": "ios",}'),
    (b"not_an_object", b'["%b", "device_type"]'),
    (b"missing_device_type", b'{"id": "%b", "deviceType": "ios"}'),
    (b"duplicate_device_type", b'{"id": "%b", "device_type": "ios", "device_type": "ios"}'),
    (b"invalid_device_type", b'{"id": "%b", "device_type": 7}'),
)
_ID = re.compile(rb"(\d+):(\d+)")


class Sent(NamedTuple):
    """One record of the load. `mapped` is a login's output, `reason` why it is malformed."""

    key: bytes | None
    value: bytes | None
    mapped: bytes | None
    reason: bytes | None


def record(seed: int, partition: int, number: int, pad: int = 0, *, noisy: bool = False) -> Sent:
    """Return the record with this number in this partition, always the same one, with `pad` bytes of padding.

    The padding compresses well, unless it is `noisy`.
    """
    name = b"%d:%d" % (partition, number)
    drawn = _mixed(seed << 48 ^ partition << 40 ^ number)
    if drawn % 1000 < MALFORMED_PER_MILLE:
        reason, text = _MALFORMED[(drawn >> 16) % len(_MALFORMED)]
        return Sent(name, text % name if text and b"%b" in text else text, None, reason)
    device, upper = _DEVICES[(drawn >> 16) % len(_DEVICES)]
    key = None if (drawn >> 24) % _KEYLESS == 0 else name
    octets = (drawn >> 32) & 255, (drawn >> 40) & 255
    padding = b64encode(shake_256(name).digest(pad * 3 // 4)) if noisy else b"x" * pad
    login, mapped = (_LOGIN % (name, *octets, text, padding) for text in (device, upper))
    return Sent(key, login, mapped, None)


def number_of(partition: int, key: bytes | None, value: bytes | None) -> int | None:
    """Read a record's number from its key, or its value if it has none. None if it was not sent to this partition."""
    found = _ID.search(key if key is not None else value or b"")
    return int(found[2]) if found and int(found[1]) == partition else None


def is_right(sent: Sent, key: bytes | None, value: bytes | None, tag: bytes | None) -> bool:
    """Whether the output's key, value and `malformed` header (None if it has none) are right for `sent`."""
    if key != sent.key or tag != sent.reason:
        return False
    if sent.reason is None:
        return value == sent.mapped
    if sent.value is None or value is None:
        return value is sent.value
    try:
        return untag(value) == (sent.reason.decode(), sent.value)
    except ValueError:
        return False


def is_right_dead_letter(sent: Sent, key: bytes | None, value: bytes | None, tag: bytes | None) -> bool:
    """Whether a dead letter's key, value and `malformed` header are right for `sent`: it is the original."""
    return sent.reason is not None and (key, value, tag) == (sent.key, sent.value, sent.reason)


def _mixed(number: int) -> int:
    """Spread a number's bits over 64, as splitmix64 does."""
    mask = (1 << 64) - 1
    number = (number + 0x9E3779B97F4A7C15) & mask
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & mask
    number = (number ^ number >> 27) * 0x94D049BB133111EB & mask
    return number ^ number >> 31
