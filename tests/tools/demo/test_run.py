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
from tests.kafka import TIMEOUT
from tests.tools.demo.demo_process import LAST_LINE, PLAIN_LINE, TERMINAL_KEPT, DemoProcess
from tests.tools.verify.test_walk import Held, InMemory, Partition
from tools.demo.child import Child
from tools.demo.figures import LATENCY_OVER, Figures
from tools.demo.run import main
from tools.demo.view import Snapshot, result
from tools.verify.findings import total
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
    """It stops DEMO_SECONDS after the first record, loses and leaves nothing, and ignores another broker's settings."""
    run = demo(DEMO_SECONDS="1", RATE="200", MALFORMED="0.5", FORCE_COLOR="1", **ELSEWHERE)
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
    found = [match.groups() for line in each_second if (match := PLAIN_LINE.fullmatch(line))]
    assert len(found) == len(each_second) >= 3, lines
    states, seconds, records_in, records_out, malformed, lags = zip(*found, strict=True)
    assert list(dict.fromkeys(states)) == ["starting", "running", "stopping", "done"]
    assert len(set(zip(states, seconds, strict=True))) == len(found)
    for column in (records_in, records_out, malformed):
        assert [int(one) for one in column] == sorted(int(one) for one in column), lines
    for state, figure_in, figure_out, lag in zip(states, records_in, records_out, lags, strict=True):
        assert int(lag) == max(0, int(figure_in) - int(figure_out))
        assert (state == "starting") <= (figure_out == "0")
    longest = {state: int(second) for state, second in zip(states, seconds, strict=True)}
    assert longest["starting"] >= 1, "the start does not take longer than DEMO_SECONDS, so that it might count"
    assert longest["running"] <= 1


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
    assert run.figures() == (0, 0, 0, 0, 0, 0, True)
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
        ("pipeline.py", "demo: the process worker-1 was killed by SIGKILL; its log ends:", True),
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
@pytest.mark.parametrize("end", ["Ctrl-C", "SIGTERM", "Kafka dies"])
def test_terminal(demo: Callable[..., DemoProcess], end: str) -> None:
    """On a terminal it shows the live view; however it ends, the terminal has its settings again."""
    run = demo(on_terminal=True, TERM="xterm", COLUMNS="80", LINES="24")
    run.wait_for(lambda line: re.search(r"android → ANDROID", line), "a processed record")
    if end == "Ctrl-C":
        run.type("\x03")
    elif end == "SIGTERM":
        os.kill(run.pid(), signal.SIGTERM)
    else:
        os.kill(run.child("kafka.Kafka"), signal.SIGKILL)
    assert run.wait() == (1 if end == "Kafka dies" else 0), run.report
    assert run.errors == [TERMINAL_KEPT]
    for heading in (" records ", " workers: 1, killed: 0", " malformed: ", " the latest records, before → after"):
        assert heading in run.report
    assert run.left() == []


@pytest.mark.long
def test_keys(demo: Callable[..., DemoProcess]) -> None:
    """The keys: 100,000 records, a worker killed with SIGKILL, one added, quit; nothing is lost or duplicated."""
    run = demo(on_terminal=True, TERM="xterm", COLUMNS="120", LINES="40")
    run.wait_for(lambda line: re.search(r" running +\d+ s", line), "a processed record")
    worker = run.child("pipeline.py")
    run.type("b")
    run.wait_for(lambda line: re.search(r"lag +\d+,\d{3} ", line), "many records that wait")
    run.type("k")
    run.wait_for(lambda line: "worker 1 was back after" in line, "another worker")
    assert worker not in run.descendants()
    run.type("w")
    run.wait_for(lambda line: re.search(r" 2 pid \d+ +partitions \d", line), "a second worker")
    run.type("q")
    assert run.wait(8 * TIMEOUT) == 0, run.report
    figures = run.figures()
    assert figures.records_in == figures.records_out > 100_000
    assert (figures.workers, figures.killed, figures.missing, figures.is_counted) == (2, 1, 0, True)
    titles = [match[1] for line in run.lines if (match := re.search(r"processed-user-login +(\w+) +\d+ s", line))]
    assert list(dict.fromkeys(titles)) == ["starting", "running", "stopping", "done"]
    assert run.errors == [TERMINAL_KEPT]
    assert run.left() == []


@pytest.mark.long
def test_stopped_before_the_first_record(demo: Callable[..., DemoProcess]) -> None:
    """If it is stopped before a record was sent, nothing was compared, so it fails."""
    run = demo(redirection="")
    run.wait_for(lambda line: line.startswith("demo: starting pipeline.py"), "the broker")
    os.kill(run.pid(), signal.SIGTERM)
    run.wait()
    line, code = run.errors
    check_row("Tools", "demo: stopped before the first record", int(code), line)
    assert code == "1"
    assert run.left() == []


FAILURES: dict[str, dict[str, str]] = {
    "demo: the reader of its output ends": {"redirection": "| head -n 1"},
    "demo: standard output on a full disk": {"redirection": ">/dev/full"},
    "demo: the picture cannot be written": {"DEMO_SECONDS": "0.1", "DEMO_PICTURE": "/dev/null/picture.svg"},
}


@pytest.mark.long
def test_failures(demo: Callable[..., DemoProcess]) -> None:
    """An output that cannot be written ends it in one line, with exit code 1."""
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
        ("", "the process child ended with exit code 0; its log ends:\n"),
        (
            "print('one\\ntwo \\x1b'); exit(3)",
            "the process child ended with exit code 3; its log ends:\n  one\n  two \\x1b",
        ),
        ("import os; os.kill(os.getpid(), 15)", "the process child was killed by SIGTERM; its log ends:\n"),
    ],
)
def test_child_that_ends(tmp_path: Path, code: str, problem: str) -> None:
    """A child that ends unasked is a problem, shown with the end of its log, escaped for a terminal."""
    child = Child("child", ["-c", code], os.environ, tmp_path)
    wait_until(lambda: child.poll() is not None, "its end")
    assert child.problem() == problem
    child.stop()
    assert child.problem() == problem


# Like Python itself while it ends, it handles only the first signal, and a second one would kill it.
# Short sleeps: a signal that comes just before a sleep begins is handled only after it.
HANDLES_SIGTERM = """
import signal, sys, time
def stop(*_):
    signal.signal(15, signal.SIG_DFL)
    time.sleep(0.2)
    sys.exit({code})
signal.signal(15, stop)
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
    ("output", "found"),
    [
        pytest.param(OUTPUT, "0 lost, 0 twice, 0 wrong", id="all there"),
        pytest.param([*OUTPUT[:2], *OUTPUT[3:]], "1 lost, 0 twice, 0 wrong", id="one missing"),
        pytest.param(OUTPUT[:4], "0 lost, 0 twice, 0 wrong, 2 not processed", id="two missing at the end"),
        pytest.param([], "0 lost, 0 twice, 0 wrong, 6 not processed", id="nothing"),
        pytest.param([*OUTPUT, OUTPUT[0], OUTPUT[1]], "0 lost, 2 twice, 0 wrong", id="two twice, at the end"),
        pytest.param([*OUTPUT[:2], INPUT[2], *OUTPUT[3:]], "0 lost, 0 twice, 1 wrong", id="one unchanged"),
    ],
)
def test_result(output: list[Record], found: str) -> None:
    """The last line says all that tools.verify finds wrong or not processed."""
    topics = Held([held(INPUT)], [held(output)])
    figures = Figures("in", topics.target)
    walk = Walk(topics, Settings(), EVERYTHING, lambda: False, figures)
    walk.step(lambda _: None, final=True)
    snapshot = Snapshot(records_in=len(INPUT), records_out=figures.records_out, kills=3, counts=total(walk.findings()))
    counted = f"demo: 6 in, {len(output)} out, 0 malformed, 0 workers, 3 killed: {found}"
    assert result(snapshot, is_counted=True) == counted
    assert result(snapshot, is_counted=False).endswith(f"3 killed: {max(0, 6 - len(output))} not yet counted")


@pytest.mark.parametrize("output_first", [False, True])
def test_figures(*, output_first: bool) -> None:
    """The figures: records out, rates of each second, reasons, and the latest records with their outputs."""
    figures = Figures("in", Held([], []).target)
    figures.rates(1.0, 0)
    for offset, (before, after) in enumerate(zip(INPUT, OUTPUT, strict=True)):
        inputs, outputs = ([cast("Message", InMemory(offset, record))] for record in (before, after))
        takes = [partial(figures.expected, inputs), partial(figures.found, outputs)]
        for take in reversed(takes) if output_first else takes:
            take()
        figures.rates(1.5 + offset, 2 * (offset + 1))
    rates = [rate for both in figures.rates(7.5, 13) for rate in both]
    assert rates == pytest.approx([4 / 1.5, 2 / 1.5, 2, 1, 2, 1, 2, 1, 2, 1, 1, 0])
    assert figures.records_out == 6
    assert figures.malformed == {"null_value": 1}
    assert [(pair.offset, pair.after, pair.reason) for pair in figures.pairs] == [
        (offset, record.value, "null_value" if record.headers else None) for offset, record in enumerate(OUTPUT)
    ]


def test_latency() -> None:
    """The latency is the 99th percentile, over the last seconds, of the time from timestamp to reading the output."""
    figures = Figures("in", Held([], []).target, clock=lambda: 10.0)
    figures.rates(0.0, 0)
    assert figures.latency is None
    records = [Record(b"key", b"value", 10_000 - milliseconds, None) for milliseconds in range(1, 201)]
    figures.found([cast("Message", InMemory(offset, record)) for offset, record in enumerate(records)])
    for second in range(1, LATENCY_OVER + 1):
        figures.rates(second, 200)
        assert figures.latency == 0.198
    figures.rates(LATENCY_OVER + 1, 200)
    assert figures.latency is None
