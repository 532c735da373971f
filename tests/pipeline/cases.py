"""The rows of the record contract, as records and the reasons for which they are malformed."""

import time
from typing import NamedTuple

from tests.kafka import Record
from transforms import NESTING_LIMIT

LOGIN = b'{"user_id": "u-1", "app_version": "2.3.0", "ip": "192.0.2.7", "locale": "AK", "device_type": "android"}'
NOW = int(time.time() * 1000)


class Case(NamedTuple):
    """A record, and the reason why it is malformed, or None if it is well-formed."""

    name: str
    record: Record
    reason: str | None = None


def _deep(levels: int) -> bytes:
    inner = levels - 1
    return b'{"x": ' + b"[" * inner + b"]" * inner + b', "device_type": "ios"}'


_WELL_FORMED = {
    "spaced": LOGIN,
    "compact": LOGIN.replace(b'": "', b'":"').replace(b", ", b","),
    "already in upper case": b'{"device_type": "IOS"}',
    "loose spacing": b' \t{ "device_type"\n:\r "ios" , "x" : 1 }\n',
    "unusual numbers": b'{"a": 1.0, "b": 1E400, "c": -0, "d": 0.1000000000000000055, "device_type": "ios"}',
    "30-digit integer": b'{"n": 123456789012345678901234567890, "device_type": "ios"}',
    "5,000-digit integer": b'{"n": ' + b"7" * 5000 + b', "device_type": "ios"}',
    "duplicates elsewhere": b'{"x": 1, "x": 2, "device_type": "ios", "x": 3}',
    "lone surrogate elsewhere": b'{"x": "\\ud83d", "device_type": "ios"}',
    "escapes elsewhere": b'{"x": "\\u0041\\/", "device_type": "ios"}',
    "escaped key": b'{"device\\u005ftype": "ios"}',
    "escaped text": b'{"device_type": "\\u0069os\\t\\"\\u00e9"}',
    "UTF-8": '{"city": "K\u00f6ln \u26c4 \U0001f4f1", "device_type": "stra\u00dfe"}'.encode(),
    "longer in upper case": '{"device_type": "\u03b0\u0149"}'.encode(),
    "nested device_type, too": b'{"x": {"device_type": 7}, "device_type": "ios"}',
    "member called malformed": b'{"malformed": {"reason": "invalid_json"}, "device_type": "ios"}',
    "at the nesting limit": _deep(NESTING_LIMIT),
}

_MALFORMED: dict[str, dict[str, bytes | None]] = {
    "null_value": {"tombstone": None},
    "empty_value": {"zero bytes": b"", "white space": b" \t\r\n"},
    "invalid_utf8": {
        "stray byte": b'{"x": "\xff", "device_type": "ios"}',
        "surrogate": b'"\xed\xa0\x80"',
        "cut": b"\xc3",
    },
    "invalid_json": {
        "NaN": b'{"x": NaN, "device_type": "ios"}',
        "Infinity": b'{"x": -Infinity, "device_type": "ios"}',
        "trailing comma": b'{"device_type": "ios",}',
        "trailing text": b'{"device_type": "ios"} {}',
        "byte-order mark": b'\xef\xbb\xbf{"device_type": "ios"}',
        "too deep": _deep(NESTING_LIMIT + 1),
        "far too deep": b"[" * 100_000,
        "cut off": LOGIN[:40],
        "control character": b'{"device_type": "i\nos"}',
        "NUL byte": b"\0",
        "braces only": b"}}}{{{",
    },
    "not_an_object": {
        "array": b'[{"device_type": "ios"}]',
        "string": b'"device_type"',
        "number": b"-1.5e3",
        "huge number": b"9" * 5000,
        "true": b" true ",
        "false": b"false",
        "null": b"null",
    },
    "missing_device_type": {
        "empty object": b"{}",
        "nested": b'{"x": {"device_type": "ios"}}',
        "case": b'{"Device_Type": "x"}',
    },
    "duplicate_device_type": {
        "twice": b'{"device_type": "ios", "device_type": "ios"}',
        "twice, escaped": b'{"device_type": "ios", "\\u0064evice_type": 1}',
    },
    "invalid_device_type": {
        "null text": b'{"device_type": null}',
        "integer": b'{"device_type": 7}',
        "boolean": b'{"device_type": false}',
        "list": b'{"device_type": ["ios"]}',
        "object": b'{"device_type": {"device_type": "ios"}}',
        "empty text": b'{"device_type": ""}',
        "blank text": '{"device_type": " \\t\u3000"}'.encode(),
        "lone surrogate": b'{"device_type": "ios\\ud800"}',
        "with a member called malformed": b'{"malformed": 1, "device_type": null}',
    },
}

_KEYS = {"null key": None, "empty key": b"", "long key": b"k" * 5000, "key that is not text": b"\x00\xff\xfe"}

_TIMESTAMPS = {
    "first millisecond": 1,
    "1970": 86_400_000,
    "2001": 1_000_000_000_000,
    "a day ago": NOW - 86_400_000,
    "in 50 minutes": NOW + 3_000_000,
}

_HEADERS: dict[str, list[tuple[str, bytes | None]]] = {
    "one header": [("trace", b"1")],
    "duplicate names": [("a", b"1"), ("b", b"2"), ("a", b"3"), ("a", b"1")],
    "null and empty header": [("null", None), ("empty", b""), ("null", None)],
    "header without a name": [("", b"1")],
    "names that are not ASCII": [("n\u00e4me\u26c4", b"\xff\x00"), ("Malformed", b"kept"), ("malformed ", b"kept")],
    "many headers": [(f"h{number}", b"%d" % number) for number in range(200)],
    "forged tag": [("malformed", b"invalid_json")],
    "forged tags among others": [
        ("malformed", None),
        ("a", b"1"),
        ("malformed", b""),
        ("b", None),
        ("malformed", b"x"),
    ],
}

CASES = [
    *(Case(name, Record(b"k", value)) for name, value in _WELL_FORMED.items()),
    *(Case(name, Record(b"k", value), why) for why, values in _MALFORMED.items() for name, value in values.items()),
    *(Case(name, Record(key, LOGIN)) for name, key in _KEYS.items()),
    *(Case(f"{name}, malformed", Record(key, b"{}"), "missing_device_type") for name, key in _KEYS.items()),
    *(Case(name, Record(b"k", LOGIN, timestamp=time)) for name, time in _TIMESTAMPS.items()),
    *(Case(f"{name}, malformed", Record(b"k", None, [], time), "null_value") for name, time in _TIMESTAMPS.items()),
    *(Case(name, Record(b"k", LOGIN, headers)) for name, headers in _HEADERS.items()),
    *(Case(f"{name}, malformed", Record(b"k", b"[", headers), "invalid_json") for name, headers in _HEADERS.items()),
    *(Case(f"{name}, tombstone", Record(None, None, headers), "null_value") for name, headers in _HEADERS.items()),
]
