"""Dead letters: the original as it came, the six headers, and what replaces an original that does not fit."""

import json
from itertools import product

import pytest

from runtime.connect.topic_facts import TopicFacts
from runtime.connect.topics import LEAST_DEAD_LETTER_BYTES
from runtime.loop.dead_letters import NAMES, DeadLetters
from runtime.loop.output_record import TIME_OF_PRODUCING, Headers, record_size
from tests.input_record import Input
from transforms import Malformed, Reason

WHY = Malformed(Reason.INVALID_JSON, "not JSON: at byte 1", b'{"malformed":{}}')
NOW = 1_700_000_000_000


TOPIC = "in" * 100


def own(reason: str, detail: str) -> Headers:
    """The headers that a dead letter of this record gets."""
    return [
        ("malformed", reason.encode()),
        ("malformed.detail", detail.encode()),
        ("__streams.errors.topic", TOPIC.encode()),
        ("__streams.errors.partition", b"3"),
        ("__streams.errors.offset", b"1234567"),
        ("__streams.errors.message", f"{reason}: {detail}".encode()),
    ]


def make(limit: int = 1_000_000, **config: str) -> DeadLetters:
    """Dead letters for a topic with this record limit and these settings."""
    settings = {name.replace("_", "."): value for name, value in config.items()}
    return DeadLetters(TopicFacts("dead", 1, {**settings, "max.message.bytes": f"{limit}"}))


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b'{"malformed": 1}'])
@pytest.mark.parametrize("key", [None, b"", b"key"])
@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (None, []),
        ([("a", b"1"), ("a", None), ("", b"")], [("a", b"1"), ("a", None), ("", b"")]),
        ([*((name, b"forged") for name in sorted(NAMES)), ("a", b"1"), ("malformed", None)], [("a", b"1")]),
        ([("Malformed", b"1"), ("malformed.details", b"2")], [("Malformed", b"1"), ("malformed.details", b"2")]),
    ],
)
def test_original(value: bytes | None, key: bytes | None, headers: Headers | None, kept: Headers) -> None:
    """The original passes unchanged, except for headers with the names of those that are added."""
    letter = make().build(WHY, key, NOW, headers, Input(value, TOPIC))
    assert letter == (value, key, NOW, [*kept, *own("invalid_json", "not JSON: at byte 1")])


def test_timestamp() -> None:
    """A timestamp that the topic refuses becomes the time of producing, but the value stays the original."""
    letters = make(message_timestamp_before_max_ms="3600000")
    letters.timestamps.update(NOW)
    for timestamp, produced in ((NOW, NOW), (NOW - 7_200_000, TIME_OF_PRODUCING)):
        value, _, given, _ = letters.build(WHY, None, timestamp, None, Input(b"[", TOPIC))
        assert (value, given) == (b"[", produced)


SIZES = {"nothing": 0, "little": 100, "much": 10_000}


@pytest.mark.parametrize(("value", "key", "header"), list(product(SIZES, repeat=3)))
def test_fits(value: str, key: str, header: str) -> None:
    """A dead letter fits a topic with the least limit: as the original, a stub, without headers, or without a key."""
    sizes = SIZES[value], SIZES[key], SIZES[header]
    headers: Headers = [("x", b"1" * sizes[2])] if sizes[2] else []
    record = Input(b"7" * sizes[0], TOPIC)
    produced, its_key, _, its_headers = make(LEAST_DEAD_LETTER_BYTES).build(WHY, b"7" * sizes[1], NOW, headers, record)
    assert record_size(its_key, produced, its_headers) <= LEAST_DEAD_LETTER_BYTES
    if max(sizes) < 1_000:
        assert (produced, its_key, len(its_headers)) == (record.value(), b"7" * sizes[1], len(headers) + 6)
        return
    stub = json.loads(produced or b"")["malformed"]
    assert (stub["topic"], stub["partition"], stub["offset"], stub["size"]) == (TOPIC, 3, 1234567, sizes[0])
    assert stub["reason"] == "too_large"
    assert its_headers[-6:] == own("too_large", stub["detail"])
    assert (its_key is None) == (key == "much")
    assert len(its_headers) == 6 + (len(headers) if header == "little" and key != "much" else 0)


def test_limit() -> None:
    """An original of exactly the limit is kept."""
    value, key, _, headers = make().build(WHY, b"k", NOW, [("a", b"1")], Input(b"[" * 5_000, TOPIC))
    limit = record_size(key, value, headers)
    for allowed, is_kept in ((limit, True), (limit - 1, False)):
        produced, *_ = make(allowed).build(WHY, b"k", NOW, [("a", b"1")], Input(b"[" * 5_000, TOPIC))
        assert (produced == value) == is_kept
