"""The demo as its users start it, however it ends; and the figures that it shows."""

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import Message

from runtime.loop.output_record import TAG
from runtime.settings import Settings
from tests.errors_page import check_row
from tests.tools.demo.demo_process import LAST_LINE, PLAIN_LINE, DemoProcess
from tests.tools.verify.test_walk import Held, InMemory, Partition
from tools.demo.child import Child
from tools.demo.figures import Figures, missing
from tools.demo.run import main
from tools.verify.gap import Record
from tools.verify.walk import EVERYTHING, Walk
from tools.waiting import wait_until

ELSEWHERE = {
    "Quix__Broker__Address": "no.such.host:1",
    "Quix__Sdk__Token": "of-another-broker",
    "Quix__State__Management__Enabled": "true",
    "BROKER_SECURITY_PROTOCOL": "ssl",
    "input": "elsewhere",
    "output": "elsewhere-too",
    "KAFKA_TOPIC": "elsewhere",
    "COUNT": "1",
    "AUTO_OFFSET_RESET": "latest",
}
"""The settings for another broker."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., DemoProcess]]:
    """Starts demos, and ends what remains of them after the test."""
    started: list[DemoProcess] = []

    def start(*, on_terminal: bool = False, redirection: str | None = None, **settings: str) -> DemoProcess:
        folder = tmp_path / f"demo-{len(started)}"
        started.append(DemoProcess(folder, on_terminal=on_terminal, redirection=redirection, **settings))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.long
def test_ends_by_itself(demo: Callable[..., DemoProcess]) -> None:
    """It stops after DEMO_SECONDS, loses and leaves nothing, and ignores the settings of another broker."""
    run = demo(DEMO_SECONDS="25", RATE="100", MALFORMED="0.5", FORCE_COLOR="1", **ELSEWHERE)
    run.wait_for_output()
    assert run.wait() == 0, run.report
    figures = run.figures()
    assert figures.records_in == figures.records_out > 50
    assert figures.records_in > figures.malformed > figures.records_in / 4
    assert figures.missing == 0
    assert figures.is_counted
    assert run.left() == []
    assert run.errors == []
    _are_plain(run.lines)


def _are_plain(lines: list[str]) -> None:
    """Without a terminal it prints one plain line a second, with figures that only grow and no escapes."""
    first, second, *each_second, last = lines
    assert first.startswith("demo: starting Apache Kafka ")
    assert second.startswith("demo: starting pipeline.py and the generator")
    assert LAST_LINE.fullmatch(last)
    found = [tuple(map(int, match.groups())) for line in each_second if (match := PLAIN_LINE.fullmatch(line))]
    assert len(found) == len(each_second) >= 3, lines
    seconds, records_in, records_out, malformed, lags = zip(*found, strict=True)
    assert len(set(seconds)) == len(seconds)
    for column in (seconds, records_in, records_out, malformed):
        assert list(column) == sorted(column), lines
    for figure_in, figure_out, lag in zip(records_in, records_out, lags, strict=True):
        assert lag == max(0, figure_in - figure_out)


@pytest.mark.long
def test_signal(demo: Callable[..., DemoProcess]) -> None:
    """When its terminal is closed, the pipeline processes all that was sent; nothing is lost or left behind."""
    run = demo()
    run.wait_for_output()
    run.send(signal.SIGHUP)
    assert run.wait() == 0, run.report
    figures = run.figures()
    assert figures.records_in == figures.records_out > 0
    assert figures.missing == 0
    assert figures.is_counted
    assert run.left() == []


@pytest.mark.long
def test_signal_while_starting(demo: Callable[..., DemoProcess]) -> None:
    """A signal while the broker starts ends it at once, and leaves nothing behind."""
    run = demo()
    run.child("kafka.Kafka")
    run.send(signal.SIGINT)
    assert run.wait() == 0, run.report
    assert run.figures() == (0, 0, 0, 0, True)
    assert run.left() == []
    assert run.errors == []


@pytest.mark.long
def test_second_ctrl_c(demo: Callable[..., DemoProcess]) -> None:
    """A second Ctrl-C ends it without waiting for the pipeline; it leaves nothing behind, and calls nothing lost."""
    run = demo()
    run.wait_for_output()
    os.kill(run.child("pipeline.py"), signal.SIGSTOP)
    generator = run.child("tools.generator")
    run.send(signal.SIGINT)
    wait_until(lambda: generator not in run.descendants(), "the generator's end")
    run.send(signal.SIGINT)
    assert run.wait() == 1, run.report
    figures = run.figures()
    assert figures.missing == figures.records_in - figures.records_out
    assert not figures.is_counted
    assert run.left() == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("word", "message", "is_counted"),
    [
        ("pipeline.py", "demo: the pipeline was killed by SIGKILL; its log ends:", True),
        ("kafka.Kafka", "demo: Apache Kafka has exited; its log ends:", False),
    ],
)
def test_death(demo: Callable[..., DemoProcess], word: str, message: str, *, is_counted: bool) -> None:
    """If a process exits, the demo names it with the end of its log, fails, and leaves nothing behind.

    Without a broker it cannot count, and calls nothing lost.
    """
    run = demo()
    run.wait_for_output()
    os.kill(run.child(word), signal.SIGKILL)
    assert run.wait() == 1, run.report
    assert run.errors[0] == message
    figures = run.figures()
    assert figures.missing == figures.records_in - figures.records_out
    assert figures.is_counted is is_counted
    assert run.left() == []


@pytest.mark.long
def test_terminal(demo: Callable[..., DemoProcess]) -> None:
    """On a terminal it shows the live view, and a typed Ctrl-C ends it as well as a signal does."""
    run = demo(on_terminal=True, TERM="xterm", COLUMNS="80", LINES="24")
    run.wait_for(lambda line: re.search(r"android → ANDROID +[1-9]", line), "a processed record")
    run.descendants()
    run.type("\x03")
    assert run.wait() == 0, run.report
    for heading in ("records", "device types", "malformed: ", "the latest records, before and after"):
        assert heading in run.report
    figures = run.figures()
    assert figures.records_in == figures.records_out > 0
    assert figures.missing == 0
    assert figures.is_counted
    assert run.left() == []


FAILURES: dict[str, dict[str, str]] = {
    "demo: the reader of its output ends": {"redirection": "| head -n 1"},
    "demo: standard output on a full disk": {"redirection": ">/dev/full"},
    "demo: no record was sent": {"DEMO_SECONDS": "0.1"},
    "demo: the picture cannot be written": {"DEMO_SECONDS": "0.1", "DEMO_PICTURE": "/dev/null/picture.svg"},
}


@pytest.mark.long
def test_failures(demo: Callable[..., DemoProcess]) -> None:
    """An output that cannot be written, and a run without a record, end in one line and exit code 1."""
    runs = {name: demo(**{"redirection": "", **settings}) for name, settings in FAILURES.items()}
    for name, run in runs.items():
        run.wait()
        line, code = run.errors
        check_row("Tools", name, int(code), line)
        assert code == "1"
        assert run.left() == []


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan"])
def test_wrong_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    """A wrong DEMO_SECONDS is named in one line, before anything starts."""
    monkeypatch.setenv("DEMO_SECONDS", seconds)
    assert main() == 78
    line = f"demo: DEMO_SECONDS must be a number of seconds above 0 (got '{seconds}')\n"
    assert capsys.readouterr() == ("", line)


def test_no_network(demo: Callable[..., DemoProcess], tmp_path: Path) -> None:
    """If Kafka is not in the cache and cannot be downloaded, one line says so."""
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    run = demo(XDG_CACHE_HOME=str(tmp_path / "cache"), NO_PROXY="", no_proxy="", **nowhere)
    assert run.wait() == 1, run.report
    (line,) = (line for line in run.errors if line.startswith("demo: "))
    assert line.endswith("is there a network?")
    assert run.left() == []


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("", "the child ended with exit code 0; its log ends:\n"),
        ("print('one\\ntwo \\x1b'); exit(3)", "the child ended with exit code 3; its log ends:\n  one\n  two \\x1b"),
        ("import os; os.kill(os.getpid(), 15)", "the child was killed by SIGTERM; its log ends:\n"),
    ],
)
def test_child_that_ends(tmp_path: Path, code: str, problem: str) -> None:
    """A child that ends unasked is a problem, shown with the end of its log, escaped for a terminal."""
    child = Child("child", ["-c", code], os.environ, tmp_path)
    wait_until(lambda: child.poll() is not None, "its end")
    assert child.problem() == problem
    child.stop()
    assert child.problem() == problem


# Short sleeps: a signal that comes just before a sleep begins is handled only after it.
HANDLES_SIGTERM = """
import signal, sys, time
signal.signal(15, lambda *_: sys.exit({code}))
print(flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("code", "is_problem"),
    [
        ("import time; time.sleep(60)", False),
        (HANDLES_SIGTERM.format(code=0), False),
        (HANDLES_SIGTERM.format(code=1), True),
    ],
)
def test_child_that_is_stopped(tmp_path: Path, code: str, *, is_problem: bool) -> None:
    """A child that is asked to stop, and does so with exit code 0 or before it listens, is no problem."""
    child = Child("child", ["-c", code], os.environ, tmp_path)
    wait_until(lambda: "print" not in code or (tmp_path / "child.log").stat().st_size, "its first line")
    assert child.problem() is None
    child.stop()
    assert child.poll() is not None
    assert bool(child.problem()) == is_problem


INPUT = [Record(b"key", b'{"n": %d, "device_type": "iOS"}' % number, number + 1, None) for number in range(5)]
INPUT.append(Record(None, None, 6, None))
OUTPUT = [record._replace(value=record.value and record.value.replace(b"iOS", b"IOS")) for record in INPUT]
OUTPUT[5] = OUTPUT[5]._replace(headers=((TAG, b"null_value"),))


def held(records: Sequence[Record]) -> Partition:
    """A partition that has these records."""
    return Partition(0, [InMemory(*item) for item in enumerate(records)])


@pytest.mark.parametrize(
    ("output", "lost"),
    [
        pytest.param(OUTPUT, 0, id="all there"),
        pytest.param([*OUTPUT[:2], *OUTPUT[3:]], 1, id="one missing"),
        pytest.param(OUTPUT[:4], 2, id="two missing at the end"),
        pytest.param([], 6, id="nothing"),
        pytest.param([*OUTPUT, OUTPUT[0], OUTPUT[1]], 2, id="two twice, at the end"),
        pytest.param([*OUTPUT[:2], INPUT[2], *OUTPUT[3:]], 1, id="one unchanged"),
    ],
)
def test_missing(output: list[Record], lost: int) -> None:
    """All that tools.verify finds wrong or not processed is missing at the end."""
    topics = Held([held(INPUT)], [held(output)])
    figures = Figures("in", topics.target)
    walk = Walk(topics, Settings(), EVERYTHING, lambda: False, figures)
    walk.step(lambda _: None, final=True)
    assert missing(walk.findings()) == lost
    assert (figures.records_in, figures.records_out) == (len(INPUT), len(output))


@pytest.mark.parametrize("output_first", [False, True])
def test_snapshot(*, output_first: bool) -> None:
    """The figures: totals, rates over the last two seconds, reasons, device types and the latest records."""
    figures = Figures("in", Held([], []).target)
    figures.snapshot("running", 1.0)
    for offset, (before, after) in enumerate(zip(INPUT, OUTPUT, strict=True)):
        inputs, outputs = ([cast("Message", InMemory(offset, record))] for record in (before, after))
        takes = [partial(figures.expected, inputs), partial(figures.found, outputs)]
        for take in reversed(takes) if output_first else takes:
            take()
        figures.snapshot("running", 2.0 + offset)
    snapshot = figures.snapshot("running", 7.1)
    assert (snapshot.records_in, snapshot.records_out, snapshot.lag) == (6, 6, 0)
    assert (snapshot.rate_in, snapshot.rate_out) == pytest.approx((2 / 2.1, 2 / 2.1))
    assert snapshot.malformed == {"null_value": 1}
    assert snapshot.device_types == {("iOS", "IOS"): 5}
    assert [(pair.offset, pair.after, pair.reason) for pair in snapshot.pairs] == [
        (offset, record.value, "null_value" if record.headers else None) for offset, record in enumerate(OUTPUT)
    ]
