"""How `tail` writes a record. Tested without Kafka."""

import json
import re
from datetime import datetime

import pytest

from tools.tail.lines import Lines, as_json, time_of
from tools.tail.originals import InputValue
from tools.tail.records import TopicRecord

MOMENT = 1_700_000_000_123
LOGIN = TopicRecord("out", 1, 7, MOMENT, b"k1", [("a", b"1")], b'{"device_type":"IOS"}')
TAGGED = LOGIN._replace(headers=[("a", None), ("malformed", b"empty_value")], value=b"{}")
HOSTILE = TopicRecord(
    "out",
    0,
    1,
    MOMENT,
    b"\x1b[2J\r\xff",
    [("\x1b]0;x\x07\n", b"\x9b1A\x08")],
    "{\x1b[31m\u202e\t\u009b\x7f\r\n}".encode(),
)
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def text(record: TopicRecord, before: bytes | None = None, *, coloured: bool = False, diff: bool = False) -> str:
    """The lines of a record, without time and place."""
    lines = Lines(is_coloured=coloured, has_before=diff)
    shown = lines.text(record, None if before is None else InputValue(before))
    return shown.partition(f"{record.place}\x1b[0m  " if coloured else f"{record.place}  ")[2]


def test_line() -> None:
    """A line has time, place, key, headers and value."""
    assert Lines(is_coloured=False, has_before=False).text(LOGIN, None) == (
        f'{time_of(MOMENT)}  out[1]@7  k1  a:1  {{"device_type":"IOS"}}'
    )


def test_null() -> None:
    """Null is told from text."""
    record = TAGGED._replace(key=None, value=None)
    assert text(record) == "(null)  a:(null)  malformed:empty_value  (null)"


def test_diff() -> None:
    """With the input's value, it has a line for each of both values below it. It says so if that is not known."""
    assert text(LOGIN, b'{"device_type":"ios"}', diff=True) == (
        'k1  a:1\n  - {"device_type":"ios"}\n  + {"device_type":"IOS"}'
    )
    assert text(LOGIN, diff=True) == 'k1  a:1\n  - (unknown)\n  + {"device_type":"IOS"}'


CHANGES = {
    "a word": (b'{"d":"iOS"}', b'{"d":"IOS"}', '{"d":"\x1b[1;32mIOS\x1b[0m"}'),
    "nothing": (b"{}", b"{}", "{}"),
    "a tag": (b'{"a":1}', b'{"a":1,"malformed":{}}', '{"a":1\x1b[1;32m,"malformed":{}\x1b[0m}'),
    "what is repeated": (b"[[]]", b"[[[[]]]]", "[[\x1b[1;32m[[]]\x1b[0m]]"),
    "all": (b"\xff", b"{}", "\x1b[1;32m{}\x1b[0m"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_colour(name: str) -> None:
    """The part of the value that differs from the input's is in colour, and no other."""
    before, value, shown = CHANGES[name]
    assert text(LOGIN._replace(value=value), before, coloured=True).partition("a:1\x1b[0m  ")[2] == shown


@pytest.mark.parametrize("diff", [False, True])
@pytest.mark.parametrize("coloured", [False, True])
def test_hostile(*, coloured: bool, diff: bool) -> None:
    """Nothing in a key, header or value reaches the terminal, except as an escape."""
    shown = text(HOSTILE, HOSTILE.value and HOSTILE.value + b"\x1bc", coloured=coloured, diff=diff)
    assert re.fullmatch(r"[ -~\n]*", STYLE.sub("", shown))
    assert shown.count("\n") == 2 * diff
    assert r"\x1b[2J\r\xff" in shown
    assert r"\x1b]0;x\x07\n:\x9b1A\x08" in shown
    assert r"{\x1b[31m\u202e\t\x9b\x7f\r\n}" in STYLE.sub("", shown)


def test_json() -> None:
    """JSON has everything exactly: text as text, other bytes in base64."""
    assert json.loads(as_json(TAGGED, None, has_before=False)) == {
        "topic": "out",
        "partition": 1,
        "offset": 7,
        "timestamp": MOMENT,
        "key": "k1",
        "headers": [["a", None], ["malformed", "empty_value"]],
        "reason": "empty_value",
        "value": "{}",
    }
    line = as_json(HOSTILE, InputValue(None), has_before=True)
    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    assert found["key"] == {"base64": "G1sySg3/"}
    assert found["value"] == "{\x1b[31m\u202e\t\u009b\x7f\r\n}"
    assert (found["found"], found["before"]) == (True, None)


@pytest.mark.parametrize("timestamp", [0, MOMENT, -1, 250_000_000_000_000])
def test_time(timestamp: int) -> None:
    """A time is in ISO 8601, with the offset from UTC."""
    assert round(datetime.fromisoformat(time_of(timestamp)).timestamp() * 1000) == timestamp


@pytest.mark.parametrize("timestamp", [2**63 - 1, -(2**63), 253_402_300_800_000 + 86_400_000])
def test_time_beyond_the_calendar(timestamp: int) -> None:
    """A timestamp that no calendar has is shown as a number."""
    assert time_of(timestamp) == f"{timestamp}"
