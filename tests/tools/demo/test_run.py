"""The demo as its users start it, however it ends."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.errors_page import check_row
from tests.kafka import TIMEOUT
from tests.pipeline.test_health import ask
from tests.tools.demo.demo_process import LAST_LINE, PLAIN_LINE, TERMINAL_KEPT, DemoProcess
from tests.tools.demo.test_settings import ELSEWHERE
from tools.waiting import wait_until


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
    assert longest["running"] <= 5  # it counts on if DEMO_SECONDS does not stop it


@pytest.mark.long
def test_signal(demo: Callable[..., DemoProcess]) -> None:
    """When its terminal is closed, the pipeline processes all that was sent. Nothing is lost or left behind."""
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
    """A second Ctrl-C ends it without waiting for the pipeline. It leaves nothing behind, and calls nothing lost."""
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
    """On a terminal it shows the live view. However it ends, the terminal has its settings again."""
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
    """The keys send 100,000 records, kill a worker with SIGKILL, add one, and quit. No record is lost or duplicated.

    The page's address stays on the screen, and answers, also after the kill.
    """
    run = demo(on_terminal=True, TERM="xterm", COLUMNS="120", LINES="40")
    run.wait_for(lambda line: re.search(r" running +\d+ s", line), "a processed record")
    worker = run.child("pipeline.py")
    run.type("b")
    run.wait_for(lambda line: re.search(r"lag +\d+,\d{3} ", line), "many records that wait")
    run.type("k")
    run.wait_for(lambda line: "worker 1 was back after" in line, "another worker")
    assert worker not in run.descendants()
    (port,) = {match[1] for line in run.lines if (match := re.search(r" page http://127.0.0.1:(\d+)/ ", line))}
    assert ask(int(port), "/").status == 200
    run.type("w")
    run.wait_for(lambda line: re.search(r" 2 pid \d+ +partitions \d", line), "a second worker")
    run.wait_for(lambda line: re.search(r" in +1\d\d,\d{3} ", line), "100,000 records")
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


def test_no_network(demo: Callable[..., DemoProcess], tmp_path: Path) -> None:
    """If Kafka is not in the cache and cannot be downloaded, one line says so."""
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    run = demo(XDG_CACHE_HOME=str(tmp_path / "cache"), NO_PROXY="", no_proxy="", **nowhere)
    assert run.wait() == 1, run.report
    (line,) = (line for line in run.errors if line.startswith("demo: "))
    assert line.endswith("is there a network?")
    assert run.left() == []
