"""Errors and signals that stop the pipeline before it runs: an exit code, and one line that says why."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from pipeline import COMMANDS
from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka
from tests.pipeline.stops import SETTINGS, STOPS, create_topics
from tests.process import RUNNING, Pipeline, Pipelines
from tools.waiting import wait_until

LISTENS = "| argparse"
"""The first import that the interpreter reports once the pipeline listens for signals."""

LINES = {
    "importing the command line": LISTENS,
    "importing Quix": "  quixstreams.app",
    "settings read": "starting: ",
    "application made": "Starting the Application with the config",
    "running": RUNNING,
}
DELAYS = {f"{seconds} s later": seconds for seconds in (0.3, 1.0, 2.5)}
MOMENTS = [*LINES, *DELAYS]


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """The address of a port without a listener, and of one that accepts connections but never answers."""
    with closing(socket.socket()) as unused, socket.create_server(("127.0.0.1", 0)) as silent:
        unused.bind(("127.0.0.1", 0))
        yield {kind: f"127.0.0.1:{end.getsockname()[1]}" for kind, end in (("<unused>", unused), ("<silent>", silent))}


@pytest.fixture(scope="module", autouse=True)
def stopped(kafka: Kafka, shared_pipelines: Pipelines) -> dict[str, Pipeline]:
    """A pipeline for each of the stops, all in parallel."""
    create_topics(kafka)
    return {name: shared_pipelines.start("there", "compacted", **settings) for name, (_, settings) in STOPS.items()}


@pytest.mark.parametrize("name", STOPS)
def test_stop(stopped: dict[str, Pipeline], name: str) -> None:
    """An error at the start causes its exit code and one error line, without a stack trace."""
    pipeline = stopped[name]
    assert pipeline.wait() == 78, pipeline.log
    errors = [line for line in pipeline.lines if "ERROR" in line]
    assert errors == [pipeline.lines[-1]]
    assert "Traceback" not in pipeline.log
    check_row(STOPS[name][0], name, 78, errors[0])


def test_unknown_name(pipelines: Pipelines) -> None:
    """A variable that resembles a setting is a warning with the setting's name, and the pipeline goes on."""
    pipeline = pipelines.start("there", "kept", COMIT_EVERY=3)
    line = pipeline.wait_for("COMIT_EVERY")
    pipeline.wait_for("starting: ")
    assert pipeline.stop() == 0
    check_row(SETTINGS, "a variable that resembles a setting", None, line)


@pytest.mark.parametrize("name", [name for name in STOPS if name.endswith("put topic") and name.startswith("no ")])
def test_nothing_is_created(kafka: Kafka, stopped: dict[str, Pipeline], name: str) -> None:
    """Without AUTO_CREATE_TOPICS a missing topic is not created."""
    stopped[name].wait()
    assert "absent" not in AdminClient({"bootstrap.servers": kafka.address}).list_topics(timeout=TIMEOUT).topics


def test_no_broker(tmp_path: Path, addresses: dict[str, str]) -> None:
    """Without a broker, the pipeline exits with 69 and one line that says what the address does."""
    settings = {"Quix__Broker__Address": addresses["<unused>"], "LIMITS": "START_TIMEOUT=1"}
    with Pipeline(settings, tmp_path, script=Path(__file__).with_name("run_limits.py")) as pipeline:
        assert pipeline.wait() == 69
    assert f"no broker answers at {addresses['<unused>']}" in pipeline.lines[-1]
    assert "refuses connections" in pipeline.lines[-1]


class Refusing(BaseHTTPRequestHandler):
    """Quix Cloud's API for a token that has expired."""

    def do_GET(self) -> None:
        """Answer 401."""
        self.send_error(HTTPStatus.UNAUTHORIZED)


def test_refused_token(tmp_path: Path) -> None:
    """A token that Quix Cloud refuses ends the pipeline with 77 and one line that names it, without its value."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        own = {"Quix__Sdk__Token": "s3cret", "Quix__Portal__Api": f"http://127.0.0.1:{server.server_port}"}
        with Pipeline({**own, "Quix__Workspace__Id": "one"}, tmp_path) as pipeline:
            assert pipeline.wait() == 77
        server.shutdown()
    assert "Quix Cloud refused Quix__Sdk__Token" in pipeline.lines[-1]
    assert "s3cret" not in pipeline.log


def test_command_line(tmp_path: Path) -> None:
    """A wrong command line exits with 2 and prints the usage. --help exits with 0 and lists the commands."""
    with Pipeline({}, tmp_path, "run", "--nonsense") as wrong, Pipeline({}, tmp_path, "--help") as asked:
        assert wrong.wait() == 2
        assert "usage: " in wrong.log
        assert "--nonsense" in wrong.lines[-1]
        assert asked.wait() == 0
        assert set(COMMANDS) == {"run", "check", "replay", "tail", "try", "verify"}
        assert all(f"{name} " in asked.log for name in COMMANDS)
        assert "usage: " in asked.log
        assert "docs/settings.md" in asked.log


def test_debug(pipelines: Pipelines) -> None:
    """LOG_LEVEL=DEBUG adds the stack trace, but the error line and the exit code stay the same."""
    pipeline = pipelines.start("absent", "there", LOG_LEVEL="DEBUG")
    assert pipeline.wait() == 78
    assert "ERROR" in pipeline.wait_for('"absent"', "not found")
    assert "Traceback" in pipeline.log


@pytest.fixture(scope="module")
def signalled(kafka: Kafka, shared_pipelines: Pipelines) -> dict[str, tuple[int, Pipeline]]:
    """By moment, a pipeline that got a signal then, and its exit code."""
    kafka.create_topic("early")
    return signal_at(MOMENTS[::2], shared_pipelines) | signal_at(MOMENTS[1::2], shared_pipelines)


def signal_at(moments: list[str], pipelines: Pipelines) -> dict[str, tuple[int, Pipeline]]:
    """Start a pipeline for each moment, all in parallel, and signal each at its moment.

    The guarantees alternate, and so do the signals.
    """
    started = {}
    for moment in moments:
        number = MOMENTS.index(moment)
        guarantee = ("exactly-once", "at-least-once")[number // 2 % 2]
        own = {"Quix__Consumer_Group": f"early-{number}", "PYTHONPROFILEIMPORTTIME": 1}
        started[moment] = pipelines.start("there", "early", PROCESSING_GUARANTEE=guarantee, **own)
    waiting = {moment: has_come(moment, pipeline) for moment, pipeline in started.items()}

    def signal_those_due() -> bool:
        for moment in [moment for moment, is_due in waiting.items() if is_due()]:
            del waiting[moment]
            started[moment].send((signal.SIGTERM, signal.SIGINT)[MOMENTS.index(moment) % 2])
        return not waiting

    wait_until(signal_those_due, "every moment")
    return {moment: (pipeline.wait(), pipeline) for moment, pipeline in started.items()}


def has_come(moment: str, pipeline: Pipeline) -> Callable[[], bool]:
    """Return a function that checks whether the moment has come."""
    listens_since: list[float] = []

    def line_is_there() -> bool:
        return LINES[moment] in pipeline.log

    def time_is_up() -> bool:
        if not listens_since and LISTENS in pipeline.log:
            listens_since.append(time.monotonic())
        return bool(listens_since) and time.monotonic() >= listens_since[0] + DELAYS[moment]

    return line_is_there if moment in LINES else time_is_up


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS)
def test_early_signal(signalled: dict[str, tuple[int, Pipeline]], moment: str) -> None:
    """SIGTERM or SIGINT at any moment of the start stops the pipeline with exit code 0."""
    exit_code, pipeline = signalled[moment]

    assert exit_code == 0, pipeline.log
    assert "Traceback" not in pipeline.log
    assert "stopped: " in pipeline.lines[-1]


@pytest.mark.parametrize(("kind", "number"), [("<unused>", signal.SIGTERM), ("<silent>", signal.SIGINT)])
def test_signal_without_broker(
    pipelines: Pipelines, addresses: dict[str, str], kind: str, number: signal.Signals
) -> None:
    """A signal stops a pipeline that waits for an absent or silent broker, with exit code 0."""
    pipeline = pipelines.start("in", "out", Quix__Broker__Address=addresses[kind])
    pipeline.wait_for("starting: ")
    pipeline.send(number)
    assert pipeline.wait() == 0  # 69 if it had continued to wait
    assert "stopped: asked to stop while waiting for the broker" in pipeline.lines[-1]
