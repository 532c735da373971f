"""`python pipeline.py tail dead_letter` on a real Kafka."""

import json
import re
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.process import Pipelines
from tests.tools.dead_letters import FORGED, dead_letter, letter_headers
from tests.tools.tail.conftest import Tail
from tests.tools.tail.terminal import on_terminal
from tests.tools.tail.test_command import HOSTILE, LOGIN, NO_DEVICE, SENT, STYLE, TEXT, Process, numbers, of
from transforms import Malformed, too_large, upper_device_type

DEAD = of(NO_DEVICE, TEXT, None)
"""The numbers of the malformed records."""


@pytest.fixture(scope="module")
def dead(kafka: Kafka) -> str:
    """A topic with the dead letters of all malformed records."""
    name = kafka.create_topic("tail-dead", 2)
    made = (dead_letter(replace(record, offset=n // 2), "logins") for n, record in enumerate(SENT))
    kafka.produce(name, [letter for letter in made if letter])
    return name


SELECTED: dict[str, list[int]] = {
    "": DEAD,
    "-n 3": DEAD[-3:],
    "-n 0": [],
    "--malformed": DEAD,
    "--malformed -n 2": DEAD[-2:],
    "--reason null_value": of(None),
    "--reason invalid_json -n 1": of(TEXT)[-1:],
    "--reason too_large": [],
    "--key k1": of(NO_DEVICE, TEXT, None, key=b"k1"),
    "--key k1 --reason invalid_json": of(TEXT, key=b"k1"),
    "--from 2023-11-14T22:13:20.004Z": [number for number in DEAD if number >= 4],
    "--from 10m": [],
}
"""By options, the numbers of the records that are shown."""


@pytest.mark.parametrize("options", SELECTED)
def test_selected(dead: str, tail: Tail, options: str) -> None:
    """It shows the last dead letters that the options ask for, of all partitions, in order of time."""
    shown = tail("out", "dead_letter", *options.split(), dead_letter=dead)
    assert (shown.code, numbers(shown.out)) == (0, SELECTED[options])
    assert len(shown.out) == len(SELECTED[options])


def test_line(dead: str, tail: Tail) -> None:
    """A line has time, place, key, the record's own headers, reason, source and original. JSON has the same."""
    options = ("dead_letter", "--reason", "missing_device_type", "-n", "1")
    (line,) = tail("out", *options, dead_letter=dead).out
    (as_json,) = tail("out", *options, "--json", dead_letter=dead).out
    number = of(NO_DEVICE)[-1]
    offset = [one for one in DEAD if one % 2 == number % 2].index(number)
    result = upper_device_type(NO_DEVICE)
    assert isinstance(result, Malformed)
    assert line.split("  ")[1:] == [
        f"{dead}[{number % 2}]@{offset}",
        f"k{number % 4}",
        f"n:{number}",
        f"missing_device_type: {result.detail}",
        f"from logins[{number % 2}]@{number // 2}",
        NO_DEVICE.decode(),
    ]
    headers = [("n", b"%d" % number), *letter_headers(*result[:2], "logins", number % 2, number // 2)]
    assert json.loads(as_json) == {
        "topic": dead,
        "partition": number % 2,
        "offset": offset,
        "timestamp": SENT[number].timestamp,
        "key": f"k{number % 4}",
        "headers": [[name, (value or b"").decode()] for name, value in headers],
        "reason": "missing_device_type",
        "detail": result.detail,
        "source": {"topic": "logins", "partition": number % 2, "offset": number // 2},
        "value": NO_DEVICE.decode(),
    }


def test_others(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """A stub is shown as it is, and so is a record that is no dead letter, which is not malformed."""
    name = topics("dead")
    stub = too_large(b"{}", "the dead letter would take 2 MB", topic="logins", partition=0, offset=7)
    foreign = [
        Record(b"k", LOGIN, FORGED),
        Record(b"k", LOGIN, letter_headers("null_value", "?", "logins", 0, 7)[:-2]),
        Record(b"k", LOGIN, [("malformed", b"null_value")]),
        Record(b"k", LOGIN),
    ]
    kafka.produce(name, [Record(b"k", stub.value, letter_headers(*stub[:2], "logins", 0, 7)), *foreign])
    lines = tail("out", "dead_letter", dead_letter=name).out
    assert "too_large: the dead letter would take 2 MB  from logins[0]@7  {" in lines[0]
    assert [line.endswith(LOGIN.decode()) for line in lines] == [False] + [True] * 4
    assert not any("from logins" in line for line in lines[1:])
    found = [json.loads(line) for line in tail("out", "dead_letter", "--json", dead_letter=name).out]
    assert [one["source"] for one in found] == [{"topic": "logins", "partition": 0, "offset": 7}] + [None] * 4
    assert [one["detail"] for one in found] == ["the dead letter would take 2 MB"] + [None] * 4
    assert len(tail("out", "dead_letter", "--malformed", dead_letter=name).out) == 1


def test_worker(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, tail: Tail) -> None:
    """It shows a worker's dead letters, without headers that were forged. --follow also shows those that come later."""
    source, target, name = topics("in", 2), topics("out", 2), topics("dead", 2)
    sent = [replace(record, headers=[*record.headers, *FORGED]) for record in SENT]
    kafka.produce(source, sent)
    pipelines.start(source, target, dead_letter=name)
    kafka.read(name, len(DEAD))
    shown = tail(target, "dead_letter", dead_letter=name)
    assert numbers(shown.out) == DEAD
    assert "forged" not in "".join(shown.out)
    with Process(kafka.address, target, "dead_letter", "-n", "1", "--follow", dead_letter=name) as process:
        lines = process.lines(1)
        kafka.produce(source, [sent[0], sent[1]])
        lines += process.lines(1)
        assert process.end(signal.SIGINT) == (0, [], [])
    assert numbers(lines) == [DEAD[-1], 1]
    assert f"from {source}[1]@15" in lines[-1]


def test_terminal(kafka: Kafka, topics: Callable[..., str], tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the reason is in colour, and nothing in the record can move the cursor."""
    name = topics("dead")
    hostile = HOSTILE.decode(errors="ignore")
    kafka.produce(name, [Record(HOSTILE, HOSTILE, [("h", HOSTILE), *letter_headers(hostile, hostile, hostile, 0, 7)])])
    shown = on_terminal(lambda: tail("out", "dead_letter", dead_letter=name), monkeypatch)
    plain = "".join(f"{line}\n" for line in tail("out", "dead_letter", dead_letter=name).out)
    assert "\x1b[1;33m\\x7f\\x1b[2J" in shown
    assert STYLE.sub("", shown) == plain
    assert re.fullmatch(r"[ -~]*\n", plain)


ERRORS = {
    "tail: the dead letters, and dead_letter is not set": {},
    "tail: no dead-letter topic": {"dead_letter": "absent"},
}


@pytest.mark.parametrize("situation", ERRORS)
def test_error(tail: Tail, situation: str) -> None:
    """Without the setting, or without its topic, it ends with 78."""
    code, out, (line,) = tail("out", "dead_letter", **ERRORS[situation])
    assert out == []
    check_row("Tools", situation, code, line)


def test_diff(tail: Tail, capsys: pytest.CaptureFixture[str]) -> None:
    """--diff is refused: a dead letter has the original only."""
    with pytest.raises(SystemExit, match="2"):
        tail("out", "dead_letter", "--diff", dead_letter="dead")
    assert "argument --diff: only for the output" in capsys.readouterr().err.splitlines()[-1]
