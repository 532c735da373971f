"""The demo as its users start it, however it ends; and the comparison that it vouches with."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.kafka import wait_until
from tests.tools.demo.demo_process import LAST_LINE, PLAIN_LINE, DemoProcess
from tools.demo.child import Child
from tools.demo.run import main
from tools.demo.topics import Comparison, Record
from transforms import upper_device_type

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
"""Settings of somebody who works with another broker."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., DemoProcess]]:
    """Starts demos, and ends what is left of them after the test."""
    started: list[DemoProcess] = []

    def start(*, on_terminal: bool = False, **settings: str) -> DemoProcess:
        started.append(DemoProcess(tmp_path / f"demo-{len(started)}", on_terminal=on_terminal, **settings))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_ends_by_itself(demo: Callable[..., DemoProcess]) -> None:
    """It stops after DEMO_SECONDS with nothing lost and nothing left, whatever broker the surroundings name."""
    run = demo(DEMO_SECONDS="15", RATE="100", MALFORMED="0.5", FORCE_COLOR="1", **ELSEWHERE)
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
    """Where there is no terminal, there is one plain line a second, with figures that only grow and no escapes."""
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


def test_signal(demo: Callable[..., DemoProcess]) -> None:
    """When its terminal is closed, it has the pipeline finish what was sent; nothing is lost and nothing left."""
    run = demo()
    run.wait_for_output()
    run.send(signal.SIGHUP)
    assert run.wait() == 0, run.report
    figures = run.figures()
    assert figures.records_in == figures.records_out > 0
    assert figures.missing == 0
    assert figures.is_counted
    assert run.left() == []


def test_signal_while_starting(demo: Callable[..., DemoProcess]) -> None:
    """A signal while the broker starts ends it at once, with nothing left."""
    run = demo()
    run.child("kafka.Kafka")
    run.send(signal.SIGINT)
    assert run.wait(10) == 0, run.report
    assert run.figures() == (0, 0, 0, 0, True)
    assert run.left() == []
    assert run.errors == []


def test_second_ctrl_c(demo: Callable[..., DemoProcess]) -> None:
    """A second Ctrl-C does not wait for the pipeline any more, but still leaves nothing, and calls nothing lost."""
    run = demo()
    run.wait_for_output()
    os.kill(run.child("pipeline.py"), signal.SIGSTOP)
    generator = run.child("tools.generator")
    run.send(signal.SIGINT)
    wait_until(lambda: generator not in run.descendants(), "the generator's end")
    run.send(signal.SIGINT)
    assert run.wait(10) == 1, run.report
    figures = run.figures()
    assert figures.missing == figures.records_in - figures.records_out
    assert not figures.is_counted
    assert run.left() == []


@pytest.mark.parametrize(
    ("word", "message", "is_counted"),
    [
        ("pipeline.py", "demo: the pipeline was killed by SIGKILL; its log ends:", True),
        ("kafka.Kafka", "demo: Apache Kafka has died; its log ends:", False),
    ],
)
def test_death(demo: Callable[..., DemoProcess], word: str, message: str, *, is_counted: bool) -> None:
    """The death of any part ends it: it says which, with the end of its log, fails, and leaves nothing.

    Without a broker it can't count, and calls nothing lost.
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


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan"])
def test_wrong_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    """A DEMO_SECONDS that is no number of seconds is named in one line, before anything starts."""
    monkeypatch.setenv("DEMO_SECONDS", seconds)
    assert main() == 78
    line = f"demo: DEMO_SECONDS is '{seconds}', but may be: a number of seconds above 0\n"
    assert capsys.readouterr() == ("", line)


def test_no_network(demo: Callable[..., DemoProcess], tmp_path: Path) -> None:
    """Where Kafka is neither in the cache nor to be had, one line says so."""
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
    """A child that ends unasked is a problem, told with its log's end in a form that is safe for a terminal."""
    child = Child("child", ["-c", code], os.environ, tmp_path)
    wait_until(lambda: not child.running, "its end")
    assert child.problem() == problem
    child.stop()
    assert child.problem() == problem


@pytest.mark.parametrize(
    ("code", "is_problem"),
    [
        ("import time; time.sleep(60)", False),
        (
            "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print(flush=True); time.sleep(60)",
            False,
        ),
        (
            "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(1)); print(flush=True); time.sleep(60)",
            True,
        ),
    ],
)
def test_child_that_is_stopped(tmp_path: Path, code: str, *, is_problem: bool) -> None:
    """A child that is asked to stop, and does so with exit code 0 or before it listens, is no problem."""
    child = Child("child", ["-c", code], os.environ, tmp_path)
    wait_until(lambda: "print" not in code or (tmp_path / "child.log").stat().st_size, "its first line")
    assert child.problem() is None
    child.stop()
    assert not child.running
    assert bool(child.problem()) == is_problem


INPUT = [Record(b"key", b'{"n": %d, "device_type": "iOS"}' % number, number, None) for number in range(5)]
INPUT.append(Record(None, None, 5, None))
OUTPUT = [record._replace(value=record.value and record.value.replace(b"iOS", b"IOS")) for record in INPUT]
OUTPUT[5] = OUTPUT[5]._replace(reason="null_value")
A, B, C, D, E, F = OUTPUT


@pytest.mark.parametrize("output_first", [False, True])
@pytest.mark.parametrize(
    ("output", "lost"),
    [
        pytest.param([A, B, C, D, E, F], 0, id="all there"),
        pytest.param([A, B, D, E, F], 1, id="one missing"),
        pytest.param([A, B, C, D], 2, id="two missing at the end"),
        pytest.param([], 6, id="nothing"),
        pytest.param([A, B, B, C, D, E, F], 1, id="one twice"),
        pytest.param([*OUTPUT, A, B], 2, id="two twice, at the end"),
        pytest.param([A, B, D, C, E, F], 1, id="another order"),
        pytest.param([A, B, INPUT[2], D, E, F], 1, id="one unchanged"),
        pytest.param([A, B, C._replace(key=None), D, E, F], 1, id="another key"),
        pytest.param([A, B, C._replace(timestamp=9), D, E, F], 1, id="another time"),
        pytest.param([A, B, C, D, E._replace(reason="invalid_json"), F], 1, id="a tag too many"),
        pytest.param([A, B, C, D, E, F._replace(reason=None)], 1, id="a tag missing"),
    ],
)
def test_lost(output: list[Record], lost: int, *, output_first: bool) -> None:
    """What is missing, too many, wrong or out of order in a partition counts as lost, whichever topic is read first."""
    comparison = Comparison(upper_device_type)
    inputs = [partial(comparison.add_input, 2, *item) for item in enumerate(INPUT)]
    outputs = [partial(comparison.add_output, 2, record) for record in output]
    for step in outputs + inputs if output_first else inputs + outputs:
        step()
    assert comparison.lost() == lost
    assert (comparison.records_in, comparison.records_out) == (len(INPUT), len(output))


def test_another_partition_is_wrong() -> None:
    """A record that comes out in another partition is lost in its own and too many in the other."""
    comparison = Comparison(upper_device_type)
    comparison.add_input(0, 0, INPUT[0])
    comparison.add_output(1, OUTPUT[0])
    assert comparison.lost() == 2


def test_snapshot() -> None:
    """The figures: totals, rates over the last two seconds, reasons, device types and the latest records."""
    comparison = Comparison(upper_device_type)
    comparison.snapshot("running", 1.0)
    for offset, (record, output) in enumerate(zip(INPUT, OUTPUT, strict=True)):
        comparison.add_input(0, offset, record)
        comparison.add_output(0, output)
        comparison.snapshot("running", 2.0 + offset)
    snapshot = comparison.snapshot("running", 7.1)
    assert (snapshot.records_in, snapshot.records_out, snapshot.lag) == (6, 6, 0)
    assert (snapshot.rate_in, snapshot.rate_out) == pytest.approx((2 / 2.1, 2 / 2.1))
    assert snapshot.malformed == {"null_value": 1}
    assert snapshot.device_types == {("iOS", "IOS"): 5}
    assert [(pair.offset, pair.after, pair.reason) for pair in snapshot.pairs] == [
        (offset, record.value, record.reason) for offset, record in enumerate(OUTPUT)
    ]
