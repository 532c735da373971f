"""/live and /ready of a running pipeline: at work, standing by, stuck, stalled, without a broker."""

import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipelines
from tools.broker.embedded import Broker
from tools.waiting import wait_until

SCRIPT = Path(__file__).parent / "run_watched.py"
LOGIN = b'{"device_type": "ios", "n": %d}'


class Answer(NamedTuple):
    """What an endpoint says; status 0 where nobody answers."""

    status: int
    body: str


def ask(port: int, path: str) -> Answer:
    """Ask a pipeline."""
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
    """The first answer with this status and text."""

    def wanted() -> Answer | None:
        answer = ask(port, path)
        return answer if answer.status == status and text in answer.body else None

    found = wait_until(wanted, f"{path} with {status} {text!r}", 4 * TIMEOUT)  # its start takes most of that, if busy
    assert found is not None
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number: int = taken.getsockname()[1]
        return number


@pytest.fixture
def port() -> int:
    """Where the test's pipeline answers."""
    return free_port()


@pytest.fixture(scope="module")
def script() -> Path:
    """What `pipelines` start here."""
    return SCRIPT


def test_at_work(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, port: int) -> None:
    """It is ready once it has its partitions, and stays so at the end of a topic whose last entry is no record."""
    source, target = topics("in", 2), topics("out", 2)
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": source})
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    producer.produce(source, LOGIN % 1, partition=0)
    producer.commit_transaction(TIMEOUT)
    pipeline = pipelines.start(source, target, HEALTH_PORT=port)

    wait_for(port, "/ready", 200, "ok")
    kafka.read(target, 1)
    until = time.monotonic() + 3.0  # longer than a stalled partition is borne here
    while time.monotonic() < until:
        assert ask(port, "/live") == ask(port, "/ready") == (200, "ok\n")
    assert ask(port, "/elsewhere") == (404, "ask for /live or /ready\n")
    assert pipeline.stop() == 0


def test_standing_by(topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A worker that the group has no partition for is ready, too."""
    source, target = topics("in"), topics("out")
    ports = free_port(), free_port()
    workers = [pipelines.start(source, target, HEALTH_PORT=port) for port in ports]
    for port in ports:
        wait_for(port, "/ready", 200)
    assert [worker.stop() for worker in workers] == [0, 0]


def test_stuck(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, port: int, tmp_path: Path) -> None:
    """A loop that hangs in a record is soon not ready, then not live, and says how long; it is both once it goes on."""
    source, target = topics("in"), topics("out")
    blocker = tmp_path / "stuck"
    blocker.touch()
    pipeline = pipelines.start(source, target, HEALTH_PORT=port, STUCK_WHILE=blocker)
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
    """A partition that stands while records wait is named by /ready; as the loop turns, /live is content."""
    source, target = topics("in"), topics("out")
    backlog = [Record(value=LOGIN % number) for number in range(20_000)]
    kafka.produce(source, backlog)
    blocker = tmp_path / "paused"
    blocker.touch()
    pipeline = pipelines.start(source, target, HEALTH_PORT=port, PAUSED_WHILE=blocker)

    answer = wait_for(port, "/ready", 503, "partition 0 stalled at offset ")
    assert ", lag " in answer.body
    assert ask(port, "/live") == (200, "ok\n")
    blocker.unlink()
    wait_for(port, "/ready", 200)
    assert kafka.read(target, len(backlog)) == [expected(record) for record in backlog]
    assert pipeline.stop() == 0


@pytest.mark.long
def test_broker_away(tmp_path: Path, port: int) -> None:
    """While the broker does not answer, a pipeline is live but not ready, and says for how long; then it is ready.

    One that stays away for longer than the group waits ends it with 69, whether it has a partition or stands by.
    """
    properties = {"broker.session.timeout.ms": "60000"}  # its controller is frozen with it
    with Broker(properties=properties) as broker, Pipelines(broker.address, tmp_path, SCRIPT) as pipelines:
        kafka = Kafka(broker.address)
        source, target = kafka.create_topic("in"), kafka.create_topic("out")
        pipeline = pipelines.start(source, target, HEALTH_PORT=port)
        wait_for(port, "/ready", 200)
        broker.pause()
        wait_for(port, "/ready", 503, "no broker has answered for ")
        assert ask(port, "/live") == (200, "ok\n")
        broker.resume()
        wait_for(port, "/ready", 200)
        standby = pipelines.start(source, target, HEALTH_PORT=(other := free_port()))
        wait_for(other, "/ready", 200)
        broker.kill()
        for one in (pipeline, standby):
            assert one.wait() == 69
            (error,) = (line for line in one.lines if "ERROR" in line)
            assert f"no broker answers at {broker.address} (Quix__Broker__Address)" in error


def test_port_taken(topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A port that is taken is refused in one line that names the setting, with exit code 78."""
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        pipeline = pipelines.start(topics("in"), topics("out"), HEALTH_PORT=port)
        assert pipeline.wait() == 78
    error = next(line for line in pipeline.lines if "ERROR" in line)
    assert f"cannot listen on HEALTH_PORT {port}: Address already in use" in error
    assert "Traceback" not in pipeline.log
