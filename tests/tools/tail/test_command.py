"""`python pipeline.py tail` on a real Kafka: which records it shows, and how it ends."""

import json
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from runtime import limits
from runtime.stop.signals import stop_request
from tests.errors_page import NO_LINE, check_row
from tests.forked import start
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.pipeline.test_bombs import send_bomb
from tests.process import Pipelines
from tests.tools.tail.conftest import Shown, Tail
from tests.tools.tail.terminal import on_terminal
from tests.tools.verify.verify_process import ROOT
from tools.environment import without_settings
from tools.tail import order
from tools.tail.command import COUNT
from transforms import too_large

MOMENT = 1_700_000_000_000
STYLE = re.compile(r"\x1b\[[0-9;]*m")
LOGIN, NO_DEVICE, TEXT = b'{"device_type": "ios"}', b'{"user_id": 1}', b"no JSON"
VALUES = [LOGIN, NO_DEVICE, LOGIN, TEXT, None, LOGIN]
SENT = [
    Record(b"k%d" % (number % 4), VALUES[number % 6], [("n", b"%d" % number)], MOMENT + number, number % 2)
    for number in range(30)
]
"""In two partitions, which take turns. The number is in the header `n`."""


def numbers(lines: Sequence[str]) -> list[int]:
    """The numbers of the records in these lines."""
    return [int(found) for found in re.findall(r"  n:(\d+)(?=  |$)", "\n".join(lines), re.MULTILINE)]


@pytest.fixture(scope="module")
def pair(kafka: Kafka) -> str:
    """An output topic with all records, whose input topic has the same name with `-in` at the end."""
    target = kafka.create_topic("tail-both", 2)
    kafka.produce(kafka.create_topic(f"{target}-in", 2), SENT)
    kafka.produce(target, map(expected, SENT))
    return target


def of(*values: bytes | None, key: bytes | None = None) -> list[int]:
    """The numbers of the records with one of these values, and with this key."""
    return [n for n, record in enumerate(SENT) if record.value in values and key in (None, record.key)]


SELECTED: dict[str, list[int]] = {
    "": list(range(30))[-COUNT:],
    "output": list(range(30))[-COUNT:],
    "input": list(range(30))[-COUNT:],
    "-n 3": [27, 28, 29],
    "-n 0": [],
    "-n 999": list(range(30)),
    "input -n 1": [29],
    "--malformed": of(NO_DEVICE, TEXT, None),
    "--malformed -n 2": of(NO_DEVICE, TEXT, None)[-2:],
    "--reason null_value": of(None),
    "--reason missing_device_type --malformed": of(NO_DEVICE),
    "--reason too_large": [],
    "--key k1": of(*VALUES, key=b"k1"),
    "--key k1 --reason invalid_json -n 1": of(TEXT, key=b"k1")[-1:],
    "--key absent": [],
    "--key=": [],
    "input --malformed": of(NO_DEVICE, TEXT, None),
    "input --reason invalid_json": of(TEXT),
    "--from 2023-11-14T22:13:20.004Z": list(range(4, 30)),
    "--from 2023-11-14T22:13:20.004+00:00 -n 2": [28, 29],
    "--from 2023-11-14T22:13:20.004Z --key k1": of(*VALUES, key=b"k1")[1:],
    "--from 10m": [],
    "--from 99999d": list(range(30)),
    "--from 1960-01-01": list(range(30)),
    "--from 9998-01-01": [],
}
"""By options, the numbers of the records that are shown."""


@pytest.mark.parametrize("options", SELECTED)
def test_selected(pair: str, tail: Tail, options: str) -> None:
    """It shows the last records that the options ask for, of all partitions, in order of time."""
    shown = tail(pair, *options.split())
    assert (shown.code, numbers(shown.out)) == (0, SELECTED[options])
    assert len(shown.out) == len(SELECTED[options])
    assert [line.partition(" | ")[2] for line in shown.err] == (
        [] if SELECTED[options] or options == "-n 0" else [f"no record of {pair} matches"]
    )


def test_line(pair: str, tail: Tail) -> None:
    """A line has the time, the place, the key, the headers and the value. JSON has the same."""
    (line,) = tail(pair, "-n", "1", "--reason", "missing_device_type").out
    (as_json,) = tail(pair, "-n", "1", "--reason", "missing_device_type", "--json").out
    number = of(NO_DEVICE)[-1]
    record = expected(SENT[number])
    moment, *rest = line.split("  ")
    assert datetime.fromisoformat(moment).timestamp() * 1000 == record.timestamp
    assert rest == [
        f"{pair}[1]@{number // 2}",
        f"k{number % 4}",
        f"n:{number}",
        "malformed:missing_device_type",
        (record.value or b"").decode(),
    ]
    assert json.loads(as_json) == {
        "topic": pair,
        "partition": 1,
        "offset": number // 2,
        "timestamp": record.timestamp,
        "key": f"k{number % 4}",
        "headers": [["n", f"{number}"], ["malformed", "missing_device_type"]],
        "reason": "missing_device_type",
        "value": (record.value or b"").decode(),
    }


def test_diff(pair: str, tail: Tail) -> None:
    """With --diff, each record of the output has the input's value, also in JSON."""
    lines = tail(pair, "-n", "30", "--diff").out
    assert len(lines) == 90
    for number, record in enumerate(SENT):
        before, after = ("(null)" if one is None else one.decode() for one in (record.value, expected(record).value))
        assert lines[3 * number + 1 : 3 * number + 3] == [f"  - {before}", f"  + {after}"]
    found = map(json.loads, tail(pair, "-n", "30", "--diff", "--json").out)
    assert [(one["found"], one["before"]) for one in found] == [(True, r.value and r.value.decode()) for r in SENT]


def test_no_original(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """If the input does not have a login any more, or the tag is a stub, --diff says so. Other tags have the value."""
    source, target = topics("in"), topics("out", 2)
    kafka.produce(source, [replace(record, partition=0) for record in SENT[:2]])
    kafka.delete_records(source, 2)
    kafka.produce(target, [*(expected(replace(SENT[n], partition=0)) for n in (0, 1)), expected(SENT[1]), SENT[0]])
    kafka.produce(target, [replace(SENT[0], partition=1, timestamp=MOMENT + 60)])
    stub = too_large(b"{}", "the record would take 2 MB", topic=source, partition=0, offset=1)
    kafka.produce(target, [Record(value=stub.value, headers=[("malformed", b"too_large")])])
    lines = tail(target, "--diff", input=source).out
    assert lines.count("  - (unknown)") == 4
    assert lines.count(f"  - {NO_DEVICE.decode()}") == 2


def test_order(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """A record with an earlier time than the one before it in its partition comes directly after that."""
    target = topics("out", 2)
    kafka.produce(target, [replace(SENT[n], partition=0, timestamp=MOMENT + t) for n, t in ((0, 1), (1, -9), (2, 5))])
    kafka.produce(target, [replace(SENT[n], partition=1, timestamp=MOMENT + t) for n, t in ((3, 0), (4, 2), (5, 6))])
    assert numbers(tail(target).out) == [3, 0, 1, 4, 2, 5]
    assert numbers(tail(target, "-n", "5").out) == [0, 1, 4, 2, 5]


def test_far_back(kafka: Kafka, topics: Callable[..., str], tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last records are those of the whole topic, also if they are further back than others in their partition."""
    monkeypatch.setattr(order, "_FIRST_SPAN", 1)
    target = topics("out", 2)
    kafka.produce(target, [replace(SENT[n], partition=1, key=b"wanted") for n in range(9)])
    kafka.produce(target, [replace(SENT[n], partition=0, key=b"wanted" if n == 9 else None) for n in range(9, 30)])
    assert numbers(tail(target, "-n", "2", "--key", "wanted").out) == [8, 9]
    assert numbers(tail(target, "-n", "10", "--key", "wanted").out) == list(range(10))
    assert numbers(tail(target, "-n", "22").out) == list(range(8, 30))


def test_gives_up(kafka: Kafka, topics: Callable[..., str], tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks back to a limit, and says so, but --from has no limit."""
    for name, number in {"_FIRST_SPAN": 1, "_LONG": 0, "FURTHEST": 20}.items():
        monkeypatch.setattr(order, name, number)
    target = topics("out")
    kafka.produce(target, [replace(record, partition=0) for record in SENT])
    shown = tail(target, "-n", "7", "--key", "k1")
    assert numbers(shown.out) == of(*VALUES, key=b"k1")[-5:]
    assert [line.partition(" | ")[2] for line in shown.err] == [
        "found 4 of 7 records in the last 15 offsets of each partition; reading further back",
        "found 5 of 7 records in the last 20 offsets of each partition; to read from an earlier time, use --from",
    ]
    shown = tail(target, "-n", "7", "--key", "k1", "--from", "2000-01-01")
    assert (numbers(shown.out), shown.err) == (of(*VALUES, key=b"k1")[-7:], [])
    shown = tail(target, "-n", "1", "--key", "absent")
    assert shown.out == []
    assert len(shown.err) == 2
    assert "found 0 of 1 records in the last 20 offsets" in shown.err[-1]


def test_transactions(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """Aborted records and those of an open transaction are not shown, and do not make it wait at the end."""
    target = topics("out")
    for begin, count in ((0, 3), (3, 2)):
        in_transaction(kafka, target, SENT[begin : begin + count], "commit")
        in_transaction(kafka, target, SENT[10:20], "abort")
    producer = in_transaction(kafka, target, SENT[20:25])
    for options, shown in {"": [0, 1, 2, 3, 4], "--from 2000-01-01": [0, 1, 2, 3, 4], "--malformed": [1, 3, 4]}.items():
        assert numbers(tail(target, *options.split()).out) == shown
    producer.abort_transaction(TIMEOUT)


def in_transaction(kafka: Kafka, target: str, records: Sequence[Record], end: str = "") -> Producer:
    """Write the records' outputs in a transaction of their own, which ends in this way."""
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": f"{target}-{end}"})
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    for record in map(expected, records):
        producer.produce(target, record.value, record.key, 0, None, None, record.timestamp, record.headers)
    producer.flush(TIMEOUT)
    if end:
        {"commit": producer.commit_transaction, "abort": producer.abort_transaction}[end](TIMEOUT)
    return producer


def test_only_aborted(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """A topic that is empty, or has aborted records only, shows nothing, and says so on standard error."""
    empty, aborted = topics("out"), topics("out", 2)
    in_transaction(kafka, aborted, SENT[:9], "abort")
    for target in (empty, aborted):
        shown = tail(target)
        assert (shown.code, shown.out) == (0, [])
        assert [line.partition(" | ")[2] for line in shown.err] == [f"{target} has no committed record"]


def test_deleted_records(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """It shows the records that are left after retention has deleted the first ones."""
    target = topics("out")
    kafka.produce(target, [replace(record, partition=0) for record in SENT])
    kafka.delete_records(target, 25)
    assert numbers(tail(target).out) == numbers(tail(target, "--from", "2000-01-01").out) == list(range(25, 30))


def test_bomb(kafka: Kafka, topics: Callable[..., str], tail: Tail) -> None:
    """A batch that cannot be decompressed ends it with 70. --from reads the records after it."""
    target, later = topics("out"), int(time.time() * 1000) + 600_000
    assert send_bomb(kafka, target) is None
    kafka.produce(target, [replace(SENT[0], timestamp=later)])
    code, _, (line,) = tail(target)
    check_row("Tools", "tail: a batch that cannot be decompressed", code, line, {target: "out"})
    after = datetime.fromtimestamp(later / 1000, UTC).isoformat()
    assert numbers(tail(target, "--from", after).out) == [0]


def test_guarantees(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, tail: Tail) -> None:
    """It shows what the pipeline writes with either guarantee, with what it was before."""
    source = topics("in", 2)
    kafka.produce(source, SENT)
    targets = {guarantee: topics("out", 2) for guarantee in ("exactly-once", "at-least-once")}
    for guarantee, target in targets.items():
        pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee, Quix__Consumer_Group=target)
    for target in targets.values():
        kafka.read(target, len(SENT))
        shown = tail(target, "-n", "30", "--diff", input=source)
        assert numbers(shown.out) == list(range(30))
        assert shown.out.count("  - (unknown)") == 0
        assert shown.out.count(f"  - {LOGIN.decode()}") == len(of(LOGIN))


def test_joins_no_group(kafka: Kafka, pair: str, tail: Tail) -> None:
    """It joins no consumer group, and commits nothing."""
    admin = AdminClient({"bootstrap.servers": kafka.address})

    def groups() -> set[str]:
        return {group.group_id for group in admin.list_consumer_groups().result(TIMEOUT).valid}

    before = groups()
    assert len(tail(pair, "--diff").out) == 3 * COUNT
    assert groups() <= before


HOSTILE = "\x7f\x1b[2J\x1b]0;title\x07\r\n\x9b1A\x08".encode() + b"\xff"


def test_terminal(kafka: Kafka, topics: Callable[..., str], tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours, unless NO_COLOR is set, but nothing that moves the cursor. A pipe gets no colours."""
    source, target = topics("in"), topics("out")
    hostile = Record(HOSTILE, HOSTILE + LOGIN, [("h\x1b[H", HOSTILE)], MOMENT)
    kafka.produce(source, [hostile, SENT[0]])
    kafka.produce(target, map(expected, [hostile, SENT[0]]))

    def shown(*options: str, input_topic: str = source, **environment: str) -> str:
        return on_terminal(lambda: tail(target, *options, input=input_topic), monkeypatch, **environment)

    plain = "".join(f"{line}\n" for line in tail(target, input=source).out)
    coloured, diff, as_json, without_input = shown(), shown("--diff"), shown("--json"), shown(input_topic="absent")
    assert shown(NO_COLOR="1") == shown(TERM="dumb") == plain
    assert STYLE.sub("", coloured) == STYLE.sub("", without_input) == plain
    assert '"device_type": "\x1b[1;32mIOS\x1b[0m"' in coloured
    assert '"device_type": "\x1b[1;31mios\x1b[0m"' in diff
    assert "\x1b[1;33mmalformed:invalid_utf8\x1b[0m" in coloured
    assert "\x1b" not in as_json
    for text in (plain, STYLE.sub("", diff), as_json):
        assert re.fullmatch(r"[ -~\n]*", text)


class Process:
    """`tail` as a process of its own. Leaving the `with` block ends it."""

    def __init__(self, address: str, target: str, *arguments: str, **settings: str) -> None:
        own = {"Quix__Broker__Address": address, "output": target, "LOG_LEVEL": "WARNING", **settings}
        environment = {**without_settings(), **own}
        self._process = start(["pipeline.py", "tail", *arguments], env=environment, cwd=ROOT, errors=True)
        assert self._process.stdout
        assert self._process.stderr
        self.out, self.err = self._process.stdout, self._process.stderr

    def lines(self, count: int) -> list[str]:
        """The next lines of its output."""
        return [self.out.readline().decode() for _ in range(count)]

    def end(self, number: signal.Signals | None = None) -> Shown:
        """Send it a signal, if any, and return what it wrote since, once it has ended."""
        if number:
            self._process.send_signal(number)
        code = self._process.wait(TIMEOUT)
        rest = [] if self.out.closed else self.out.read().decode().splitlines()
        return Shown(code, rest, self.err.read().decode().splitlines())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its streams
            self._process.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_follow(kafka: Kafka, topics: Callable[..., str], number: signal.Signals) -> None:
    """With --follow, new records are shown when they come, also in a new partition, until a signal: exit code 0."""
    target = topics("out")
    kafka.produce(target, [replace(record, partition=0) for record in SENT[:3]])
    with Process(kafka.address, target, "-n", "2", "--follow") as process:
        lines = process.lines(2)
        kafka.produce(target, [replace(record, partition=0) for record in SENT[3:5]])
        lines += process.lines(2)
        kafka.add_partitions(target, 2)
        kafka.produce(target, [replace(record, partition=1) for record in SENT[5:7]])
        lines += process.lines(2)
        assert process.end(number) == (0, [], [])
    assert numbers(lines) == [1, 2, 3, 4, 5, 6]


def test_follow_since(kafka: Kafka, topics: Callable[..., str]) -> None:
    """With --follow and --from, an empty topic is waited for, and each record is shown once."""
    target = topics("out")
    with Process(kafka.address, target, "--from", "2000-01-01", "--follow") as process:
        assert b"no record of" in process.err.readline()
        for number in range(9):
            kafka.produce(target, [replace(SENT[number], partition=0)])
        assert numbers(process.lines(9)) == list(range(9))
        assert process.end(signal.SIGINT) == (0, [], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_without_broker(number: signal.Signals) -> None:
    """A signal ends it with exit code 0 while it waits for a broker that is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(TIMEOUT)
        with Process(f"127.0.0.1:{silent.getsockname()[1]}", "out") as process, silent.accept()[0]:
            assert process.end(number) == (0, [], [])


def test_reader_ends(kafka: Kafka, topics: Callable[..., str]) -> None:
    """If the reader of its lines ends, so does it, without a line."""
    target = topics("out")
    kafka.produce(target, SENT[:1])
    with Process(kafka.address, target, "--follow") as process:
        process.lines(1)
        process.out.close()
        kafka.produce(target, SENT[:1])
        assert process.end() == (0, [], [])
    check_row("Tools", "tail: the reader of its lines ends", 0, NO_LINE)


def test_topic_is_deleted(kafka: Kafka, topics: Callable[..., str]) -> None:
    """If the topic is deleted, --follow ends, and the line says so."""
    target = topics("out")
    kafka.produce(target, SENT[:1])
    with Process(kafka.address, target, "--follow") as process:
        process.lines(1)
        kafka.delete_topic(target)
        code, out, (line,) = process.end()
    assert out == []
    check_row("Tools", "tail: the topic is deleted", code, line, {target: "out"})


MISSING = {
    "tail: no output topic": ("output", ""),
    "tail: no input topic": ("input", "input"),
    "tail: no input topic, and --diff": ("input", "--diff"),
}
"""By situation, the setting that names a missing topic, and the options."""


@pytest.mark.parametrize("situation", MISSING)
def test_missing_topic(pair: str, tail: Tail, situation: str) -> None:
    """A missing topic ends it as it ends `verify`."""
    topic, options = MISSING[situation]
    code, out, (line,) = tail(pair, *options.split(), **{"input": f"{pair}-in", topic: "absent"})
    assert out == []
    check_row("Tools", situation, code, line)
    check_row("Tools", "verify: no output topic", code, line.replace('"absent"', '"errors-absent"'))


def test_no_broker(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker it ends with 69, and without valid settings with 78, in one line."""
    monkeypatch.setattr(limits, "START_TIMEOUT", 1)
    code, _, err = tail("out", Quix__Broker__Address="127.0.0.1:1")
    assert (code, len(err)) == (69, 1)
    assert "no broker answers at 127.0.0.1:1" in err[0]
    code, _, err = tail("out", COMMIT_EVERY="0")
    assert (code, len(err)) == (78, 1)
    assert "COMMIT_EVERY must be" in err[0]


def test_full_disk(pair: str, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """If standard output cannot be written, it ends with 70 and a line."""
    with Path("/dev/full").open("w", encoding="utf-8") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        code, _, err = tail(pair)
    (line,) = err
    check_row("Tools", "tail: standard output on a full disk", code, line)


def test_masked_signal(pair: str, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal during a call of the client ends it with exit code 0, also if the client raises SystemError instead."""

    def masked(*_: object) -> None:
        raise SystemError("poll returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr("tools.tail.command._show", masked)
    assert tail(pair) == (0, [], [])


def test_stopped_before(pair: str, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal before it has begun to read ends it with 0."""
    monkeypatch.setattr(stop_request, "requested", True)
    assert tail(pair) == (0, [], [])


WRONG = {
    "a topic that is neither": ("nonsense", "argument topic: invalid choice: "),
    "a negative number": ("-n=-1", "argument -n: must be a whole number from 0 to 9223372036854775807"),
    "an unknown reason": ("--reason nonsense", "argument --reason: invalid choice: "),
    "no time": ("--from noon", "argument --from: must be a time such as "),
    "a time beyond the calendar": ("--from 99999-01-01", "argument --from: must be a time such as "),
    "--diff for the input": ("input --diff", "argument --diff: only for the output"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options(tail: Tail, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A wrong command line ends with 2, and the last line names the option."""
    options, text = WRONG[name]
    with pytest.raises(SystemExit, match="2"):
        tail("out", *options.split())
    assert text in capsys.readouterr().err.splitlines()[-1]
