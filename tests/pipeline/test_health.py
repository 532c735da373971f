"""/live and /ready of a running pipeline: working, without a partition, stuck, stalled, without a broker."""

import json
import re
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from tests.brokers import STEADY
from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipelines
from tools.broker.embedded import Broker
from tools.broker.ports import free_port
from tools.waiting import wait_until

SCRIPT = Path(__file__).parent / "run_watched.py"
LOGIN = b'{"device_type": "ios", "n": %d}'


class Answer(NamedTuple):
    """An endpoint's answer, with status 0 if the connection is refused."""

    status: int
    body: str


def ask(port: int, path: str) -> Answer:
    """Send a GET request to a pipeline."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode())
    except ConnectionRefusedError:
        return Answer(0, "")
    finally:
        connection.close()


def wait_for(port: int, path: str, status: int, text: str = "") -> Answer:
    """Wait for an answer with this status and text, and return it."""

    def wanted() -> Answer | None:
        answer = ask(port, path)
        return answer if answer.status == status and text in answer.body else None

    found = wait_until(wanted, f"{path} with {status} {text!r}", 4 * TIMEOUT)  # the start takes most of that, if busy
    assert found is not None
    return found


@pytest.fixture
def port() -> int:
    """The HTTP_PORT of the test's pipeline."""
    return free_port()


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here."""
    return SCRIPT


def test_at_work(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, port: int) -> None:
    """The pipeline is ready once it has its partitions, and stays ready if the topic ends with a transaction marker.

    Meanwhile, its log shows totals and lag; the marker does not count.
    """
    source, target = topics("in", 2), topics("out", 2)
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": source})
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    producer.produce(source, LOGIN % 1, partition=0)
    producer.commit_transaction(TIMEOUT)
    pipeline = pipelines.start(source, target, HTTP_PORT=port)

    wait_for(port, "/ready", 200, "ok")
    kafka.read(target, 1)
    unready = [time.monotonic()]

    def is_ready_to_stay() -> bool:
        if not ask(port, "/live") == ask(port, "/ready") == (200, "ok\n"):
            unready.append(time.monotonic())
        return time.monotonic() > unready[-1] + 3.0  # longer than limits.STALLED_AFTER in this script

    wait_until(is_ready_to_stay, "three seconds in a row in which it is ready")
    pipeline.wait_for(" INFO ", "running: 1 in, 1 out, 0 malformed; 2 partitions, lag 0, newest record ")
    assert ask(port, "/elsewhere") == (404, "ask for / or /status.json or /metrics or /live or /ready\n")
    assert pipeline.stop() == 0


def test_without_partition(topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A worker without a partition is ready, too."""
    source, target = topics("in"), topics("out")
    ports = free_port(), free_port()
    workers = [pipelines.start(source, target, HTTP_PORT=port) for port in ports]
    for port in ports:
        wait_for(port, "/ready", 200)
    assert [worker.stop() for worker in workers] == [0, 0]


def test_stuck(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, port: int, tmp_path: Path) -> None:
    """A loop that hangs in a record is first not ready, then not live. It is both again once it continues."""
    source, target = topics("in"), topics("out")
    blocker = tmp_path / "stuck"
    blocker.touch()
    pipeline = pipelines.start(source, target, HTTP_PORT=port, STUCK_WHILE=blocker)
    wait_for(port, "/ready", 200)
    kafka.produce(source, [Record(value=LOGIN % 1)])

    wait_for(port, "/ready", 503, "no loop iteration for ")
    wait_for(port, "/live", 503, "no loop iteration for ")
    blocker.unlink()
    wait_for(port, "/live", 200)
    wait_for(port, "/ready", 200)
    kafka.read(target, 1)
    assert pipeline.stop() == 0


def test_stalled(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, port: int, tmp_path: Path) -> None:
    """/ready, /status.json and /metrics name a stalled partition and its lag, but /live stays OK, as the loop runs."""
    source, target = topics("in"), topics("out")
    backlog = [Record(value=LOGIN % number) for number in range(20_000)]
    kafka.produce(source, backlog)
    blocker = tmp_path / "paused"
    blocker.touch()
    pipeline = pipelines.start(source, target, HTTP_PORT=port, PAUSED_WHILE=blocker)

    answer = wait_for(port, "/ready", 503, "partition 0 stalled at offset ")
    assert ", lag " in answer.body
    assert ask(port, "/live") == (200, "ok\n")
    status = json.loads(ask(port, "/status.json").body)
    (partition,) = status["partitions"]
    assert status["state"] == f"stalled: partition 0 at offset {partition['offset']}"
    assert not status["ready"]
    assert (partition["offset"], partition["lag_records"]) == (handled := partition["offset"], len(backlog) - handled)
    assert partition["stalled_seconds"] > 2.0  # limits.STALLED_AFTER in this script
    (seconds,) = re.findall(r"^login_pipeline_stalled_seconds\{.*\} (.*)$", ask(port, "/metrics").body, re.MULTILINE)
    assert float(seconds) >= partition["stalled_seconds"]
    blocker.unlink()
    wait_for(port, "/ready", 200)
    assert kafka.read(target, len(backlog)) == [expected(record) for record in backlog]
    assert pipeline.stop() == 0


@pytest.mark.long
def test_broker_away(tmp_path: Path, port: int) -> None:
    """A pipeline without an answer from the broker is live but not ready. It is ready again after the next answer.

    If the broker stays away for too long, workers exit with 69, with or without a partition.
    """
    with Broker(properties=STEADY) as broker, Pipelines(broker.address, tmp_path, SCRIPT) as pipelines:
        kafka = Kafka(broker.address)
        source, target = kafka.create_topic("in"), kafka.create_topic("out")
        pipeline = pipelines.start(source, target, HTTP_PORT=port)
        wait_for(port, "/ready", 200)
        broker.pause()
        wait_for(port, "/ready", 503, "no broker has answered for ")
        assert ask(port, "/live") == (200, "ok\n")
        assert json.loads(ask(port, "/status.json").body)["state"].startswith("no broker has answered for ")
        assert "\nlogin_pipeline_ready 0.0\n" in ask(port, "/metrics").body
        broker.resume()
        wait_for(port, "/ready", 200)
        standby = pipelines.start(source, target, HTTP_PORT=(other := free_port()))
        wait_for(other, "/ready", 200)
        broker.kill()
        answer = wait_for(port, "/ready", 503, "no broker has answered for ")
        assert ask(port, "/live") == (200, "ok\n")
        line = f"/ready: {answer.status} {answer.body.strip()}"
        check_row("While running", "the broker is away", None, line, {r"for \d+ s": "for 16 s"})
        for worker in (pipeline, standby):
            assert worker.wait() == 69
            (error,) = (line for line in worker.lines if "ERROR" in line)
            assert f"no broker answers at {broker.address} (Quix__Broker__Address)" in error


def test_port_taken(topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A HTTP_PORT that is in use causes exit code 78 and one line that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        pipeline = pipelines.start(topics("in"), topics("out"), HTTP_PORT=port)
        assert pipeline.wait() == 78
    error = next(line for line in pipeline.lines if "ERROR" in line)
    assert f"cannot listen on HTTP_PORT {port} of HTTP_HOST 127.0.0.1: Address already in use" in error
    assert "Traceback" not in pipeline.log
