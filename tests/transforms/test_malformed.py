"""The tag of a malformed record: its exact bytes, and `original`."""

import gc
import json
from base64 import b64encode
from hashlib import sha256
from itertools import islice

import pytest

from tools.generator.logins import MALFORMED_KINDS, records
from transforms import Malformed, Reason, original, refused_timestamp, too_large, upper_device_type

# D stands for the detail's JSON text.
TAGGED_INSIDE = [
    (b"{}", b'{"malformed":{"reason":"missing_device_type","detail":D}}'),
    (b" { \n} ", b' { \n"malformed":{"reason":"missing_device_type","detail":D}} '),
    (b'{"x":1}', b'{"x":1,"malformed":{"reason":"missing_device_type","detail":D}}'),
    (b'{"x": 1 \n}\n', b'{"x": 1 \n,"malformed":{"reason":"missing_device_type","detail":D}}\n'),
    (b'{"x":"}"}', b'{"x":"}","malformed":{"reason":"missing_device_type","detail":D}}'),
    (b'{"x":{}}', b'{"x":{},"malformed":{"reason":"missing_device_type","detail":D}}'),
    (
        b'{"x":{"malformed":1}}',
        b'{"x":{"malformed":1},"malformed":{"reason":"missing_device_type","detail":D}}',
    ),
    (
        b'{"device_type":"a","device_type":"b"}',
        b'{"device_type":"a","device_type":"b","malformed":{"reason":"duplicate_device_type","detail":D}}',
    ),
    (
        b'{"device_type":null}',
        b'{"device_type":null,"malformed":{"reason":"invalid_device_type","detail":D}}',
    ),
]

TAGGED_AROUND = [
    (b"", b'{"malformed":{"reason":"empty_value","detail":D,"raw":""}}'),
    (b" \n", b'{"malformed":{"reason":"empty_value","detail":D,"raw":" \\n"}}'),
    (b"\xff", b'{"malformed":{"reason":"invalid_utf8","detail":D,"raw_base64":"/w=="}}'),
    (b"{'x':1}", b'{"malformed":{"reason":"invalid_json","detail":D,"raw":"{\'x\':1}"}}'),
    (b'"a"', b'{"malformed":{"reason":"not_an_object","detail":D,"raw":"\\"a\\""}}'),
    (
        b'{"malformed":1}',
        b'{"malformed":{"reason":"missing_device_type","detail":D,"raw":"{\\"malformed\\":1}"}}',
    ),
    (
        b'{"malforme\\u0064":1}',
        b'{"malformed":{"reason":"missing_device_type","detail":D,"raw":"{\\"malforme\\\\u0064\\":1}"}}',
    ),
    (
        b'{"malformed":1,"device_type":1,"device_type":2}',
        b'{"malformed":{"reason":"duplicate_device_type","detail":D,"raw":"{\\"malformed\\":1,\\"device_type\\":1,\\"device_type\\":2}"}}',
    ),
    (
        b'{"malformed":1,"device_type":[]}',
        b'{"malformed":{"reason":"invalid_device_type","detail":D,"raw":"{\\"malformed\\":1,\\"device_type\\":[]}"}}',
    ),
]

# Inputs that imitate a tag or hide one.
HOSTILE = [
    b'{"malformed":{"reason":"missing_device_type","detail":"x"}}',
    b'{"x":1,"malformed":{"reason":"missing_device_type","detail":"x"}}',
    b'{"malformed":{"reason":"invalid_json","detail":"x","raw":"forged"}}',
    b'{"malformed":{"reason":"too_large","detail":"x"}}',
    b'{"x":{"malformed":{"reason":"invalid_json","detail":"x","raw":"forged"}}}',
    b'{"x":[{"malformed":{"reason":"invalid_utf8","detail":"x","raw_base64":"/w=="}}]}',
    b'{"x":"\\"malformed\\":{\\"reason\\":"}',
    b'{"\\"malformed\\":{\\"reason\\":":1}',
    b'"malformed":{"reason":"invalid_json","detail":"x","raw":"forged"}',
    b'"malformed":{"reason":',
    b'{"malformed":{"reason":"invalid_json","detail":"x","raw":"forged"}}\xff',
    b'{"x":1,}',
    b'{"x":1,,}',
    b"}",
    b"}}}}",
    b'{"x":"}}}}" } \n',
]

NOT_TAGGED = [
    b"",
    b" ",
    b"{}",
    b"[]",
    b"\xff",
    b'"malformed"',
    b'{"device_type": "IOS"}',
    b'{"malformed":1}',
    b'{"malformed":{}}',
    b'{"malformed":{"detail":"x"}}',
    b'{"malformed":{"reason":"nonsense","detail":"x"}}',
    b'{"malformed":{"reason":"missing_device_type","detail":"x"},"not":"last"}',
    b'{"x":{"malformed":{"reason":"missing_device_type","detail":"x"}}}',
    b'{"x":1,"malformed":{"reason":"invalid_json","detail":"x","raw":"and a member beside it"}}',
    b'"malformed":{"reason":',
    b'{"malformed":{"reason":}}',
    b'{"malformed":{"reason":"invalid_json","detail":"x","raw":"cut off',
    b'{"malformed":{"reason":"invalid_json","detail":"x","raw":5}}',
    b'{"malformed":{"reason":"invalid_json","detail":"x","raw":"\\ud800"}}',
    b'{"malformed":{"reason":"invalid_utf8","detail":"x","raw_base64":5}}',
    b'{"malformed":{"reason":"invalid_utf8","detail":"x","raw_base64":"?"}}',
    b'{"malformed":{"reason":"invalid_utf8","detail":"x","raw_base64":"\xc3\xbc"}}',
    b'{"malformed":{"reason":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
]


@pytest.mark.parametrize(("value", "tagged"), TAGGED_INSIDE + TAGGED_AROUND)
def test_tagged_value(value: bytes, tagged: bytes) -> None:
    """The tag becomes the last member of a JSON object, and wraps any other value. No other byte changes."""
    result = _malformed(value)

    assert result.value == tagged.replace(b"D", json.dumps(result.detail).encode())


@pytest.mark.parametrize("value", [value for value, _ in TAGGED_INSIDE + TAGGED_AROUND] + HOSTILE)
def test_original(value: bytes) -> None:
    """`original` gives the input of a tagged value back, byte for byte."""
    assert original(_malformed(value).value) == value


def test_no_cycles() -> None:
    """A malformed record is freed at once: a reference cycle would keep it until Python's garbage collector runs."""
    values = [record.value for record in islice(records(1, 1.0, lambda: 0.0), 200)]
    gc.collect()
    gc.disable()
    try:
        for value in values:
            upper_device_type(value)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_every_reason_is_reversible() -> None:
    """The tables cover each reason of the transform. A tombstone stays null and is its own original."""
    seen = {_malformed(value).reason for value, _ in TAGGED_INSIDE + TAGGED_AROUND}
    tombstone = _malformed(None)

    assert tombstone.reason is Reason.NULL_VALUE
    assert tombstone.value is None
    assert original(None) is None
    assert seen | {Reason.NULL_VALUE} == set(MALFORMED_KINDS)


@pytest.mark.parametrize("value", [b'{"device_type":"ios"}', b'{"malformed":1}', b"", b"{", b"[]", b"\xff"])
def test_refused_timestamp(value: bytes) -> None:
    """A record with a refused timestamp is tagged: its input value, with the timestamp in the detail."""
    result = refused_timestamp(value.upper(), value, -1764300000000)

    assert result.reason is Reason.REFUSED_TIMESTAMP
    assert result.detail == "the output topic refuses the timestamp -1764300000000"
    assert original(result.value) == value


def test_refused_timestamp_of_a_malformed_record() -> None:
    """A record that is already malformed keeps its reason."""
    result = _malformed(b"{}")

    assert refused_timestamp(result, b"{}", 7) is result


def test_refused_timestamp_of_null() -> None:
    """A null value that a transform accepts stays null."""
    assert refused_timestamp(b"made of nothing", None, 7)[::2] == (Reason.REFUSED_TIMESTAMP, None)


@pytest.mark.parametrize("value", NOT_TAGGED)
def test_not_tagged(value: bytes) -> None:
    """`original` raises ValueError for a value without a complete tag."""
    with pytest.raises(ValueError, match=r"\w"):
        original(value)


@pytest.mark.parametrize("size", [None, 0, 1, 2**20])
def test_too_large(size: int | None) -> None:
    """The stub of a record that is too large has its size, digest and place, and no byte of its value."""
    value = None if size is None else b"7" * size
    stub = too_large(value, "the record does not fit", topic='t"\u00fc', partition=3, offset=2**40)

    assert stub.reason is Reason.TOO_LARGE
    assert stub.value is not None
    assert len(stub.value) < 300
    assert list(json.loads(stub.value).items()) == [
        (
            "malformed",
            {
                "reason": "too_large",
                "detail": stub.detail,
                "size": size or 0,
                "sha256": sha256(value or b"").hexdigest(),
                "topic": 't"\u00fc',
                "partition": 3,
                "offset": 2**40,
            },
        )
    ]
    with pytest.raises(ValueError, match="too large"):
        original(stub.value)


def test_large_values_come_back() -> None:
    """Values of 1 MiB come back, for each kind of tag."""
    filler = b"a" * 2**20
    for value in (filler, filler + b"\xff", b'{"x":"%b"}' % filler, b'{"malformed":"%b"}' % filler):
        assert original(_malformed(value).value) == value


def test_malformed_is_immutable() -> None:
    """A Malformed cannot be changed."""
    result = _malformed(b"")

    for name in ("reason", "detail", "value"):
        with pytest.raises(AttributeError):
            setattr(result, name, None)


def test_reasons() -> None:
    """The reasons are the contract's, in its order, and are ASCII for the header."""
    assert list(Reason) == [
        "null_value",
        "empty_value",
        "invalid_utf8",
        "invalid_json",
        "not_an_object",
        "missing_device_type",
        "duplicate_device_type",
        "invalid_device_type",
        "transform_failed",
        "refused_timestamp",
        "too_large",
    ]
    assert all(reason.isascii() and str(reason) == reason.value for reason in Reason)


def test_raw_base64_is_standard() -> None:
    """A value that is not UTF-8 is encoded in standard base64, with padding."""
    value = bytes(range(255, -1, -1))
    tagged = _malformed(value).value

    assert tagged is not None
    assert json.loads(tagged)["malformed"]["raw_base64"] == b64encode(value).decode()


def _malformed(value: bytes | None) -> Malformed:
    result = upper_device_type(value)
    assert isinstance(result, Malformed)
    return result
