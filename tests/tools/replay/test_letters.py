"""Reading dead letters. Tested without Kafka."""

import pytest

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.dead_letters import NAMES, DeadLetters
from runtime.loop.output_record import Headers
from tests.tools.replay.records import Input
from tools.replay.letters import ATTEMPT, Letter, letter_of
from tools.tail.records import TopicRecord
from transforms import Malformed, Reason, too_large

FACTS = TopicFacts("dead", 1, {"max.message.bytes": "5000"})


def record(
    headers: Headers | None = None, value: bytes | None = b"{}", reason: Reason = Reason.EMPTY_VALUE
) -> TopicRecord:
    """The dead letter of a record with these headers and this value."""
    malformed = Malformed(reason, "why", None)
    built, key, timestamp, names = DeadLetters(FACTS).build(malformed, b"k", 7, headers, Input("in", 2, 5, value))
    return TopicRecord("dead", 2, 9, timestamp, key, names, built)


def letter(one: TopicRecord) -> Letter:
    """The dead letter in a record."""
    found = letter_of(one, "in")
    assert found is not None
    return found


def test_original() -> None:
    """What the worker builds is read again: reason, place and the original's headers."""
    found = letter(record([("a", b"1"), ("a", None)]))
    assert (found.reason, found.partition, found.attempts, found.origin, found.is_stub) == (
        *("empty_value", 2, 0, "in[2]@5"),
        False,
    )
    assert found.headers() == [("a", b"1"), ("a", None), (ATTEMPT, b"1")]


ATTEMPTS = {
    b"1": 1,
    b"12": 12,
    b"0": 0,
    b"": 0,
    None: 0,
    b"-1": 0,
    b"x": 0,
    "\u0661".encode(): 0,
    b"9" * 500: 0,
    b"\xff": 0,
}


@pytest.mark.parametrize("content", ATTEMPTS)
def test_attempts(content: bytes | None) -> None:
    """The header counts the attempts. Anything else that a producer put there counts as none."""
    found = letter(record([(ATTEMPT, content), ("b", b"")]))
    assert found.attempts == ATTEMPTS[content]
    assert found.headers() == [("b", b""), (ATTEMPT, b"%d" % (ATTEMPTS[content] + 1))]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_foreign(name: str) -> None:
    """A record that lacks a header of a dead letter is none, nor is one of another topic or with an unknown reason."""
    one = record()
    assert letter_of(one._replace(headers=[each for each in one.headers if each[0] != name]), "in") is None
    assert letter_of(one, "other") is None
    for content in (None, b"", b"x", b"\xff", b"-1", b"9" * 30):
        changed = [(each, content if each == name else value) for each, value in one.headers]
        is_free = name in {"malformed.detail", "__streams.errors.message"}
        assert (letter_of(one._replace(headers=changed), "in") is None) is not is_free


def test_stub() -> None:
    """A stub is told from an original by its place, as an original may have the reason too_large, too."""
    assert letter(record(value=b"x" * 6000)).is_stub
    assert not letter(record(value=b"x" * 1000, reason=Reason.TOO_LARGE)).is_stub
    for offset, is_stub in ((5, True), (6, False)):
        value = too_large(b"", "why", topic="in", partition=2, offset=offset).value
        assert letter(record(value=value, reason=Reason.TOO_LARGE)).is_stub is is_stub
        assert not letter(record(value=value)).is_stub


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[" * 4000, b"[]", b'{"malformed":1}', b'{"malformed":{"topic":1}}']
)
def test_no_stub(value: bytes | None) -> None:
    """No other value is one."""
    assert not letter(record(value=value, reason=Reason.TOO_LARGE)).is_stub
