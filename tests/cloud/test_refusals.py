"""Errors that keep a deployment of Quix Cloud from starting: an exit code, and one line that says why."""

import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka.admin import AdminClient

from runtime.limits import START_TIMEOUT
from tests.checked import assert_says_the_same
from tests.cloud.certificate import make_certificate
from tests.cloud.platform import PASSWORD, TOKEN, USER, Place, Platform
from tests.errors_page import check_row
from tests.process import Pipeline

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]


class Stop(NamedTuple):
    """Settings that keep the pipeline from starting, its exit code, texts in the error line, and texts not in it."""

    settings: dict[str, str]
    exit_code: int
    texts: list[str]
    absent_texts: list[str]


SITUATIONS = {
    "Quix Cloud, and `NO_PROXY` with an IPv6 network": Stop({"NO_PROXY": "localhost,fd00::/8"}, 78, [], []),
    "Quix Cloud, and a SOCKS proxy": Stop({"ALL_PROXY": "socks5://alice:forgotten@127.0.0.1:1080"}, 78, [], []),
    "Quix Cloud, and a proxy that does not answer": Stop({"HTTP_PROXY": "<unused>"}, 69, [], ["make demo"]),
    "Quix Cloud, and `SSL_CERT_FILE` without a file": Stop({"SSL_CERT_FILE": "/nowhere/ca.pem"}, 78, [], []),
    "Quix Cloud, whose certificate no trusted CA has signed": Stop({"Quix__Portal__Api": "<untrusted>"}, 78, [], []),
}
"""The situations that have a row in docs/errors.md."""

STOPS = {
    **SITUATIONS,
    "expired token": Stop(
        {"Quix__Sdk__Token": "sdk-rotated"}, 77, ["Quix__Sdk__Token", "expired or of another environment", "401"], []
    ),
    "newline in the token": Stop({"Quix__Sdk__Token": f"{TOKEN}\n"}, 78, ["Quix__Sdk__Token", "copy it"], []),
    "unknown environment": Stop({"Quix__Workspace__Id": "nowhere"}, 78, ["Quix__Workspace__Id", "404"], ["Token"]),
    "no API address": Stop({"Quix__Portal__Api": ""}, 78, ["Quix__Portal__Api", "Quix__Broker__Address"], []),
    "invalid URL": Stop(
        {"Quix__Portal__Api": "portal"}, 78, ["Quix__Portal__Api must be a URL, https://... (got 'portal')"], []
    ),
    "missing topic": Stop(
        {"input": "absent", "AUTO_CREATE_TOPICS": "false"}, 78, ['"absent"', "`input`", "AUTO_CREATE_TOPICS=true"], []
    ),
    "API away": Stop({"Quix__Portal__Api": "<unused>"}, 69, ["<unused>", "Quix__Portal__Api"], ["to start one"]),
    "API silent": Stop({"Quix__Portal__Api": "<silent>"}, 69, ["<silent>", "Quix__Portal__Api"], ["to start one"]),
    "API restarts": Stop({"Quix__Portal__Api": "<restarting>"}, 69, ["Quix__Portal__Api", "503"], ["to start one"]),
    "broker away": Stop(
        {"Quix__Portal__Api": "<brokerless>"},
        69,
        ["<broker>", "supplied by Quix Cloud"],
        ["to start one", "Quix__Broker"],
    ),
    "wrong password": Stop(
        {"Quix__Portal__Api": "<mistaken>"}, 77, ["the credentials that Quix Cloud supplied"], ["BROKER_SASL"]
    ),
}


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server whose certificate is signed by itself."""
    file = tmp_path_factory.mktemp("untrusted") / "both.pem"
    make_certificate(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def places(broker: Place, admin: AdminClient, untrusted: str) -> Iterator[dict[str, str]]:
    """The addresses for the placeholders above."""
    with ExitStack() as stack, closing(socket.socket()) as unused, socket.create_server(("127.0.0.1", 0)) as silent:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{unused.getsockname()[1]}"
        restarting, brokerless, mistaken = (
            stack.enter_context(Platform(Place(address, broker.certificate), USER, password, admin))
            for address, password in ((broker.address, PASSWORD), (nowhere, PASSWORD), (broker.address, "forgotten"))
        )
        restarting.away = True
        yield {
            "<unused>": f"http://{nowhere}",
            "<untrusted>": untrusted,
            "<silent>": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "<restarting>": restarting.url,
            "<brokerless>": brokerless.url,
            "<mistaken>": mistaken.url,
            "<broker>": nowhere,
        }


@pytest.fixture(scope="module")
def stopped(
    platform: Platform, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Pipeline]]:
    """A pipeline and a `check` for each of these, all in parallel, as some try for half a minute."""
    with ExitStack() as stack:
        started = {}
        for kind, stop in STOPS.items():
            settings = platform.environment(**{name: places.get(value, value) for name, value in stop.settings.items()})
            for name, command in {kind: "run", f"check {kind}": "check"}.items():
                started[name] = stack.enter_context(Pipeline(settings, tmp_path_factory.mktemp("stopped"), command))
        yield started


@pytest.mark.parametrize("kind", STOPS)
def test_stopped(stopped: dict[str, Pipeline], places: dict[str, str], kind: str) -> None:
    """The pipeline exits with its code and one error line, which has the right texts and no secret."""
    pipeline, stop = stopped[kind], STOPS[kind]
    assert pipeline.wait(timeout=90) == stop.exit_code, pipeline.log
    errors = [line for line in pipeline.lines if "ERROR" in line]
    assert errors == [pipeline.lines[-1]]
    assert "Traceback" not in pipeline.log
    for secret in (TOKEN, "sdk-rotated", PASSWORD, "forgotten"):
        assert secret not in pipeline.log
    for text in stop.texts:
        assert places.get(text, text) in errors[0]
    for text in stop.absent_texts:
        assert text not in errors[0]
    if kind in SITUATIONS:
        check_row("Settings", kind, stop.exit_code, errors[0], {r"\(_ssl\.c:\d+\)": "(_ssl.c:1000)"})


@pytest.mark.parametrize("kind", STOPS)
def test_check(stopped: dict[str, Pipeline], kind: str) -> None:
    """`check` ends with the same code, and one of its lines says the same."""
    assert_says_the_same(stopped[f"check {kind}"], stopped[kind])


@pytest.mark.parametrize("kind", [kind for kind, stop in STOPS.items() if stop.exit_code == 69])
def test_time_to_exit(stopped: dict[str, Pipeline], kind: str) -> None:
    """The pipeline exits in time without an answer. quixstreams alone would take one to four minutes for the API."""
    assert stopped[kind].wait(timeout=90) == 69
    assert seconds(stopped[kind]) < 2 * START_TIMEOUT


@pytest.mark.parametrize("place", ["<unused>", "<silent>"])
def test_stop_while_waiting(platform: Platform, places: dict[str, str], folder: Path, place: str) -> None:
    """A signal stops a pipeline that waits for the API, with exit code 0."""
    with Pipeline(platform.environment(Quix__Portal__Api=places[place]), folder) as pipeline:
        pipeline.wait_for("starting: ")
        assert pipeline.stop(signal.SIGTERM) == 0  # 69 if it had continued to wait


def seconds(pipeline: Pipeline) -> float:
    """The time from the first to the last line of its log."""
    first, last = (datetime.fromisoformat(line[:23]) for line in (pipeline.lines[0], pipeline.lines[-1]))
    return (last - first).total_seconds()
