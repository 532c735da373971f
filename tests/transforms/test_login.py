"""The transform of a login: outputs, the order of reasons, and the same outcome at any stack depth."""

import json
import sys
from collections.abc import Callable
from typing import TypeVar

import pytest

from transforms import NESTING_LIMIT, Malformed, Reason, upper_device_type
from transforms.login import slow_path

T = TypeVar("T")

TOO_DEEP = b"[" * (NESTING_LIMIT + 1) + b"]" * (NESTING_LIMIT + 1)

OUTPUTS = [
    (b'{"ip": "203.0.113.9", "device_type": "android"}', b'{"ip": "203.0.113.9", "device_type": "ANDROID"}'),
    (b'{"device_type":"iOS","ip":"203.0.113.9"}', b'{"device_type":"IOS","ip":"203.0.113.9"}'),
    (b'{\n  "x": 1.0,\n  "device_type": "ios"\n}\n', b'{\n  "x": 1.0,\n  "device_type": "IOS"\n}\n'),
    (b'{"n": 1E400, "device_type" : "ios"}', b'{"n": 1E400, "device_type" : "IOS"}'),
    (b'{"s": "\\ud800", "device_type": "ios"}', b'{"s": "\\ud800", "device_type": "IOS"}'),
    ('{"city": "K\u00f6ln", "device_type": "\u00df"}'.encode(), '{"city": "K\u00f6ln", "device_type": "SS"}'.encode()),
    (b'{"device_type": "\\u0061\\/b"}', b'{"device_type": "A/B"}'),
    (b'{"device\\u005ftype": "ios"}', b'{"device\\u005ftype": "IOS"}'),
]

UNTOUCHED = [
    b'{"device_type": "ANDROID"}',
    b'{"device_type":"IOS"}',
    b'{\n\t"device_type" : "IOS"\n}\n',
    b'{"device_type": "\\u0041\\/"}',
    b'{"device_type": "7"}',
    '{"device_type": "\u00dc"}'.encode(),
    b'{"device_type": "IOS", "malformed": {"reason": "invalid_json"}}',
]

# Several reasons apply to most rows; the first one counts.
FIRST_REASONS = [
    (Reason.NULL_VALUE, None),
    (Reason.EMPTY_VALUE, b""),
    (Reason.INVALID_UTF8, b"\xff"),
    (Reason.INVALID_UTF8, b'{"device_type": null,} \xff'),
    (Reason.INVALID_UTF8, b'[1, "\xff"]'),
    (Reason.INVALID_JSON, b"[1, 2,]"),
    (Reason.INVALID_JSON, TOO_DEEP),
    (Reason.INVALID_JSON, b'{"x": %b}' % TOO_DEEP),
    (Reason.INVALID_JSON, b'{"device_type": 1, "device_type": 2,}'),
    (Reason.INVALID_JSON, b'{"device_type": NaN}'),
    (Reason.INVALID_JSON, b'\xef\xbb\xbf["device_type"]'),
    (Reason.NOT_AN_OBJECT, b'["device_type", "device_type"]'),
    (Reason.NOT_AN_OBJECT, b"null"),
    (Reason.MISSING_DEVICE_TYPE, b'{"x": {"device_type": null, "device_type": null}}'),
    (Reason.DUPLICATE_DEVICE_TYPE, b'{"device_type": null, "device_type": " "}'),
    (Reason.INVALID_DEVICE_TYPE, b'{"device_type": null}'),
    (Reason.INVALID_DEVICE_TYPE, b'{"device_type": " \\u3000 "}'),
    (Reason.INVALID_DEVICE_TYPE, b'{"device_type": "ios\\ud800"}'),
]


@pytest.mark.parametrize(("value", "output"), OUTPUTS)
def test_output(value: bytes, output: bytes) -> None:
    """The device_type of a well-formed login is upper-cased, and every other byte stays."""
    assert upper_device_type(value) == output


@pytest.mark.parametrize("value", UNTOUCHED)
def test_untouched(value: bytes) -> None:
    """If upper-casing changes nothing, the same object is returned, by both paths."""
    assert upper_device_type(value) is value
    assert slow_path(value) is value


@pytest.mark.parametrize(("reason", "value"), FIRST_REASONS)
def test_first_reason(reason: Reason, value: bytes | None) -> None:
    """The first reason that applies counts, in the order of the enumeration."""
    result = upper_device_type(value)

    assert isinstance(result, Malformed)
    assert result.reason is reason


LOGIN = {"user_id": "6f1c0b5e", "ip": "203.0.113.9", "timestamp": 1720614565, "device_type": "ios", "locale": "RI"}
USUAL = {
    "as json.dumps writes it": json.dumps(LOGIN),
    "compact": json.dumps(LOGIN, separators=(",", ":")),
    "pretty-printed": json.dumps(LOGIN, indent=2),
    "sorted": json.dumps(LOGIN, sort_keys=True),
    "not ASCII": json.dumps({"city": "K\u00f6ln", **LOGIN}, ensure_ascii=False),
    "a device type that is not ASCII": json.dumps({**LOGIN, "device_type": "stra\u00dfe"}, ensure_ascii=False),
    "already in upper case": json.dumps({**LOGIN, "device_type": "IOS"}),
    "with nested values": json.dumps({"x": [{"a": [1.5, None, True]}] * 20, **LOGIN}),
    "long": json.dumps({"x": "a" * 10_000, **LOGIN}),
}


@pytest.mark.parametrize("text", USUAL.values(), ids=USUAL.keys())
def test_fast_path(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login in a usual spelling takes the fast path."""
    expected = slow_path(text.encode())
    monkeypatch.setattr("transforms.login.slow_path", None)

    assert upper_device_type(text.encode()) == expected


VALUES = [
    *(value for value, _ in OUTPUTS),
    *(value for _, value in FIRST_REASONS),
    b'{"device_type": "ios", "x": %b}' % (b"[" * (NESTING_LIMIT - 1) + b"]" * (NESTING_LIMIT - 1)),
    b'{"device_type": "ios", "x": %b}' % (b"[" * NESTING_LIMIT + b"]" * NESTING_LIMIT),
    b'{"device_type": "ios", "x": %b}' % (rb'["]]\"",' * NESTING_LIMIT + b"1" + b"]" * NESTING_LIMIT),
    b'{"device_type": "ios", "x": %b}' % (b'["\\\\",' * NESTING_LIMIT + b"1" + b"]" * NESTING_LIMIT),
    json.dumps({"x": [{"a": "}[", "b": [1]}] * 200, **LOGIN}).encode(),
    json.dumps({"x": "[{" * 200, **LOGIN}).encode(),
]


@pytest.mark.parametrize("value", VALUES)
def test_same_as_slow_path(value: bytes | None) -> None:
    """The fast path agrees with the slow path, below and above the nesting limit."""
    assert upper_device_type(value) == slow_path(value)


def test_many_device_types() -> None:
    """Ten thousand different device types are each upper-cased, twice."""
    for _ in range(2):
        for number in range(10_000):
            assert upper_device_type(b'{"device_type": "phone %d"}' % number) == b'{"device_type": "PHONE %d"}' % number


def test_other_spellings() -> None:
    """Earlier values do not change the outcome for the same device type in another spelling."""
    spellings = {
        b'{"device_type": "a/b"}': b'{"device_type": "A/B"}',
        b'{"device_type":"a/b"}': b'{"device_type":"A/B"}',
        b'{"device_type" :"a/b"}': b'{"device_type" :"A/B"}',
        b'{"device_type": "a\\/b"}': b'{"device_type": "A/B"}',
        b'{"device_type": "\\u0061/b"}': b'{"device_type": "A/B"}',
        b'{"device_type": "a\\"b"}': b'{"device_type": "A\\"B"}',
        b'{"device_type": "a\\u0022b"}': b'{"device_type": "A\\"B"}',
    }
    for _ in range(2):
        assert {value: upper_device_type(value) for value in spellings} == spellings
        assert {value: upper_device_type(value) for value in reversed(spellings)} == spellings


@pytest.mark.parametrize("value", VALUES)
def test_stack_depth(value: bytes | None) -> None:
    """The outcome is the same at any stack depth, down to forty frames before the limit."""
    frames_left = sys.getrecursionlimit() - _frames() - 40
    outcomes = [_deeper(frames, lambda: upper_device_type(value)) for frames in (0, frames_left // 2, frames_left)]

    assert outcomes == [upper_device_type(value)] * 3


@pytest.mark.parametrize("value", VALUES)
def test_end_of_the_stack(value: bytes | None) -> None:
    """If the stack ends inside the transform, it raises RecursionError, and never returns another outcome."""
    outcomes: list[bytes | Malformed] = []
    base = sys.getrecursionlimit() - _frames()
    for frames_left in range(40):
        try:
            outcomes.append(_deeper(base - frames_left, lambda: upper_device_type(value)))
        except RecursionError:
            continue

    assert outcomes
    assert outcomes == [upper_device_type(value)] * len(outcomes)


def _frames() -> int:
    """The number of frames on the stack, including the caller's."""
    frame, count = sys._getframe(1), 1  # the documented way to count them
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


def _deeper(frames: int, call: Callable[[], T]) -> T:
    return _deeper(frames - 1, call) if frames else call()
