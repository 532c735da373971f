"""A running pipeline whose standard streams are closed or cannot be written to, or whose terminal is closed."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import SCRIPT, group_of
from tools.child_process import ChildProcess

pytestmark = pytest.mark.long

NO_LOG = "(no log)"
SENT = [Record(value=b'{"device_type": "ios", "n": %d}' % number) for number in range(3)]


class Started(NamedTuple):
    """A running pipeline, its topics, its log, and our end of its terminal."""

    process: ChildProcess
    source: str
    target: str
    log: Path
    terminal: int


def terminate(started: Started) -> None:
    """Send SIGTERM."""
    started.process.terminate()


def hang_up(started: Started) -> None:
    """Close the terminal: the system sends SIGHUP, and writing to it fails."""
    os.close(started.terminal)


class Case(NamedTuple):
    """How the shell redirects the streams and what it does before, whether stderr has no reader, and the stop."""

    redirect: str = ""
    before: str = ""
    is_read: bool = True
    stop: Callable[[Started], None] = terminate


CASES = {
    "standard output is closed": Case(">&-"),
    "standard error is closed": Case("2>&-"),
    "all standard streams are closed": Case("<&- >&- 2>&-"),
    "standard error is on a full disk": Case("2>/dev/full"),
    "the reader of standard error has ended": Case(is_read=False),
    "SIGHUP": Case(stop=lambda started: started.process.send_signal(signal.SIGHUP)),
    "SIGHUP under `nohup`, then SIGTERM": Case(before="trap '' HUP"),
    "the terminal is closed": Case("<{terminal} >{terminal} 2>&1", stop=hang_up),
}


def start(kafka: Kafka, folder: Path, name: str, case: Case, stack: ExitStack) -> Started:
    """Start a pipeline in a shell."""
    source, target = (kafka.create_topic(f"{name}-{end}") for end in ("in", "out"))
    settings = {"Quix__Broker__Address": kafka.address, "Quix__Consumer_Group": group_of(source)}
    (ours, terminal), (reader, writer), log = os.openpty(), os.pipe(), folder / name
    os.close(reader)
    with log.open("wb") as file:
        redirect = case.redirect.format(terminal=os.ttyname(terminal))
        process = ChildProcess(
            ["/bin/sh", "-c", f'{case.before}\nexec "$@" {redirect}', "sh", sys.executable, SCRIPT],
            env={"PATH": os.environ["PATH"], **settings, "input": source, "output": target},
            cwd=folder,
            stdout=file,
            stderr=file if case.is_read else writer,
        )
    stack.callback(process.end)
    stack.callback(os.close, writer)
    stack.callback(os.close, terminal)
    return Started(process, source, target, log, ours)


@pytest.fixture(scope="module")
def started(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Started]]:
    """A pipeline for each case, all in parallel."""
    folder = tmp_path_factory.mktemp("streams")
    with ExitStack() as stack:
        yield {
            name: start(kafka, folder, f"streams-{number}", case, stack)
            for number, (name, case) in enumerate(CASES.items())
        }


@pytest.mark.parametrize("situation", CASES)
def test_continues(kafka: Kafka, started: dict[str, Started], situation: str) -> None:
    """The pipeline works, and stops with 0. A closed terminal stops it, unless SIGHUP was ignored at its start."""
    process, source, target, log, _ = started[situation]
    kafka.produce(source, SENT[:2])
    assert kafka.read(target, 2, 4 * TIMEOUT) == list(map(expected, SENT[:2]))
    if "nohup" in situation:
        process.send_signal(signal.SIGHUP)
        kafka.produce(source, SENT[2:])
        assert kafka.read(target, 3) == list(map(expected, SENT))
    CASES[situation].stop(started[situation])
    assert process.wait(TIMEOUT) == 0
    assert list(kafka.committed(group_of(source), source).values()) == [3 if "nohup" in situation else 2]
    lines = log.read_text().splitlines()
    check_row("While running", situation, 0, lines[-1] if lines else NO_LOG)
