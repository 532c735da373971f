"""The output record: its size to the byte, forged tags, and the stub of a record that is too large."""

import hashlib
import json
import random
from collections.abc import Callable
from itertools import product

import pytest

from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed
from runtime.loop.output_record import TIME_OF_PRODUCING, Headers, Output, record_size
from runtime.observe.counters import Totals
from tests.input_record import Input
from tests.wire import record_batch
from tools.broker.protocol import RawRecord, batch_size
from transforms import Malformed, Reason, original, upper_device_type

SIZES = [None, 0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 8193, 1_048_575, 1_048_576]
HEADERS: list[Headers] = [
    [],
    [("", None)],
    [("a", b""), ("a", b"1" * 64)],
    [("\u26c4" * 30, b"\xff" * 9000)],
    [(f"h{number}", None) for number in range(70)],
]


def make(limit: int, totals: Totals | None = None, **config: str) -> Output:
    """Output for a topic with this record limit and these settings."""
    settings = {name.replace("_", "."): value for name, value in config.items()}
    return Output(TopicFacts("out", 1, {**settings, "max.message.bytes": f"{limit}"}), totals or Totals())


def build(
    output: Output, result: bytes | Malformed, key: bytes | None, headers: Headers | None, record: Input
) -> tuple[bytes | None, Headers]:
    """Give value and headers of a record whose timestamp is of no interest."""
    value, timestamp, tagged, _ = output.build(result, key, 7, headers, record)
    assert timestamp == 7
    return value, tagged


def filled(size: int | None) -> bytes | None:
    """That many bytes."""
    return None if size is None else b"7" * size


@pytest.mark.parametrize(("key", "value", "headers"), list(product((None, 0, 64), SIZES, HEADERS)))
def test_record_size(key: int | None, value: int | None, headers: Headers) -> None:
    """The size of a record is that of its batch, as Kafka's message format 2 writes it, to the byte."""
    raw = RawRecord(filled(key), filled(value), [(name.encode(), content) for name, content in headers])

    assert record_size(filled(key), filled(value), headers) == batch_size(raw)


def test_batch_size() -> None:
    """The size that these tests expect is that of the bytes that a broker takes."""
    numbers = random.Random(1)
    for _ in range(20):
        raw = RawRecord(numbers.randbytes(9), numbers.randbytes(numbers.randrange(300)), [(b"a", None), (b"", b"1")])
        assert batch_size(raw) == len(record_batch([raw], 0))


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (None, []),
        ([], []),
        ([("a", b"1"), ("a", None)], [("a", b"1"), ("a", None)]),
        ([("malformed", b"forged")], []),
        ([("malformed", None), ("a", b"1"), ("malformed", b"")], [("a", b"1")]),
        ([("Malformed", b"1"), ("malformed2", b"2")], [("Malformed", b"1"), ("malformed2", b"2")]),
    ],
)
def test_headers(headers: Headers | None, kept: Headers) -> None:
    """Forged tags are removed, all other headers stay in order, and the tag of a malformed record is the last."""
    totals = Totals()
    output = make(1_000_000, totals)
    malformed = Malformed(Reason.NULL_VALUE, "detail", None)

    assert build(output, b"v", b"k", headers, Input(b"v")) == (b"v", kept)
    assert str(totals).endswith("0 malformed")
    assert build(output, malformed, b"k", headers, Input(None)) == (None, [*kept, ("malformed", b"null_value")])
    assert str(totals).endswith("1 malformed (null_value 1)")


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("key", [None, b"", b"k" * 100])
def test_limit(key: bytes | None, headers: Headers) -> None:
    """A record of exactly the limit is produced as it is. With a limit one byte lower it is a stub, and counted."""
    value = b"7" * 2000
    limit = batch_size(RawRecord(key, value, [(name.encode(), content) for name, content in headers]))
    totals = Totals()

    assert build(make(limit, totals), value, key, headers, Input(b"in")) == (value, headers)
    stub, tagged = build(make(limit - 1, totals), value, key, headers, Input(b"in"))
    assert tagged == [*headers, ("malformed", b"too_large")]
    assert str(totals).endswith("1 malformed (too_large 1)")
    assert stub is not None
    assert json.loads(stub) == {
        "malformed": {
            "reason": "too_large",
            "detail": f"the record would take {limit} bytes, and the topic takes {limit - 1}",
            "size": 2,
            "sha256": hashlib.sha256(b"in").hexdigest(),
            "topic": "in",
            "partition": 3,
            "offset": 1234567,
        }
    }


LARGEST: list[tuple[str, Callable[[int], RawRecord]]] = [
    ("key", lambda size: RawRecord(b"k" * size, b"", [])),
    ("key, no value", lambda size: RawRecord(b"k" * size, None, [])),
    ("header", lambda size: RawRecord(None, b"{}", [(b"h", b"h" * size)])),
    ("headers", lambda size: RawRecord(b"k", b"[]", [(b"", None)] * (size // 2))),
    ("odd name", lambda size: RawRecord(b"k", b"x", [(b"\xff" * size, b"")])),
]


@pytest.mark.parametrize(("title", "large"), LARGEST, ids=[title for title, _ in LARGEST])
@pytest.mark.parametrize("limit", [2_000, 100_000])
def test_room_for_a_stub(limit: int, title: str, large: Callable[[int], RawRecord]) -> None:
    """Whatever an input topic takes, its tag or its stub fits into an output topic of four times its limit and 1 KiB.

    That is what SECURITY.md asks for.
    """
    raw = large(limit - (batch_size(large(limit)) - limit))
    assert limit - 5 <= batch_size(raw) <= limit
    headers = [(name.decode(errors="backslashreplace"), content) for name, content in raw.headers]
    record = Input(raw.value, "t" * 249)
    for output_limit in (limit + 1024, 4 * limit + 1024)[title == "odd name" :]:
        value, tagged = build(make(output_limit), upper_device_type(raw.value), raw.key, headers, record)
        assert record_size(raw.key, value, tagged) <= output_limit


@pytest.mark.parametrize("size", [300, 2000, 1_000_000])
def test_max_plain_bytes(size: int) -> None:
    """Key and value of max_plain_bytes together fit."""
    fits = make(size).max_plain_bytes

    assert record_size(None, b"7" * fits, []) <= size
    assert record_size(b"7" * fits, b"", []) <= size


def test_no_room() -> None:
    """If not even the stub fits, it fails and names the record, both topics and the limit."""
    with pytest.raises(Failed) as stop:
        build(make(1000), b"v", b"k" * 1000, None, Input(b"v"))
    for text in ("in[3]@1234567", "max.message.bytes of out must be larger than 1000"):
        assert text in str(stop.value)


def test_other_reasons_yield() -> None:
    """A malformed record that is too large is that, and nothing else."""
    totals = Totals()
    malformed = Malformed(Reason.INVALID_JSON, "detail", b"7" * 2000)
    stub, headers = build(make(1000, totals), malformed, None, None, Input(None))

    assert headers == [("malformed", b"too_large")]
    assert stub is not None
    assert json.loads(stub)["malformed"]["size"] == 0
    assert str(totals).endswith("1 malformed (too_large 1)")


HOUR = 3_600_000
AFTER = {"message_timestamp_after_max_ms": f"{HOUR}"}


@pytest.mark.parametrize(
    ("value", "reason", "back"),
    [
        (b'{"device_type": "ios"}', b"refused_timestamp", b'{"device_type": "ios"}'),
        (b"[", b"invalid_json", b"["),
        (None, b"null_value", None),
        (b'{"device_type": "ios", "x": "%b"}' % (b"x" * 2000), b"too_large", None),
    ],
)
def test_refused_timestamp(value: bytes | None, reason: bytes, back: bytes | None) -> None:
    """A timestamp that the topic refuses becomes the time of producing. The input is tagged unless it is already."""
    totals = Totals()
    output = make(1500, totals, **AFTER)
    output.timestamps.update()
    late = output.timestamps.newest + 1
    produced, timestamp, headers, _ = output.build(upper_device_type(value), b"k", late, [("a", b"1")], Input(value))

    assert timestamp == TIME_OF_PRODUCING
    assert headers == [("a", b"1"), ("malformed", reason)]
    assert str(totals).endswith(f"1 malformed ({reason.decode()} 1)")
    if reason != b"too_large" and produced is not None:
        assert original(produced) == back
    if reason == b"refused_timestamp":
        assert f"{late}" in json.loads(produced or b"")["malformed"]["detail"]
