"""The embedded broker: records, starts, stops and crashes, and that it leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from tests.kafka import Kafka, Record
from tools.broker import embedded as broker_module
from tools.broker.embedded import Broker, train
from tools.broker.files import BrokerError
from tools.broker.ports import Ports, choose_ports, free_port
from tools.child_process import ChildProcess
from tools.waiting import wait_until

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]

_ORPHAN = """
import sys, threading, time
from tools.broker.embedded import Broker
broker = Broker()
thread = threading.Thread(target=broker.start)
thread.start()
thread.join()
print(broker.pid, flush=True)
time.sleep(600)
"""

RECORDS = [
    Record(b"key", b"value", [("a", b"1"), ("a", None), ("b", b"")], partition=1),
    Record(None, None, timestamp=1),
    Record(b"", b"", partition=2),
]


@pytest.fixture(scope="module")
def spare() -> Iterator[Broker]:
    """A broker to ill-treat. Each test leaves it running."""
    with Broker(properties={"log.retention.ms": "-1"}) as broker:  # records of any age are kept
        yield broker


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not (stat.exists() and ") Z " in stat.read_text())
    except (ProcessLookupError, FileNotFoundError):
        return False


def _environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}


def test_records_come_back(topics: Callable[..., str], kafka: Kafka) -> None:
    """What is produced is read back the same: key, value, headers, timestamp and partition, nulls and blanks too."""
    topic = topics("input", partitions=3)
    kafka.produce(topic, RECORDS)
    assert kafka.read(topic, 3) == sorted(RECORDS, key=lambda record: record.partition)
    assert kafka.end_offsets(topic) == {0: 1, 1: 1, 2: 1}


def test_transactions(topics: Callable[..., str], kafka: Kafka) -> None:
    """A committed transaction's records can be read, an aborted one's only by those who ask for uncommitted ones."""
    topic = topics("input")
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": topic})
    producer.init_transactions(10)
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(10)
        end(10)
    assert [record.value for record in kafka.read(topic, 1)] == [b"committed"]
    assert [record.value for record in kafka.read(topic, 2, isolation="read_uncommitted")] == [b"aborted", b"committed"]


def test_features(broker: Broker) -> None:
    """It runs with the transactions of today (KIP-890), as a node does that Kafka's own tool has formatted."""
    request = b"\x00\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x02a\x02a\x00"  # ApiVersions, version 3
    host, port = broker.address.split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(len(request).to_bytes(4) + request)
        with connection.makefile("rb") as stream:
            answer = stream.read(int.from_bytes(stream.read(4)))
    assert b"transaction.version\x00\x02\x00\x02" in answer


def test_missing_topic(broker: Broker) -> None:
    """A request for a missing topic does not create it."""
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.list_topics("no-such-topic", timeout=60)
    assert "no-such-topic" not in admin.list_topics(timeout=60).topics


def test_own_process_group(broker: Broker) -> None:
    """Ctrl-C in the terminal does not reach Kafka."""
    assert os.getpgid(broker.pid) != os.getpgid(0)


def test_running_twice(broker: Broker) -> None:
    """Starting a broker that runs is an error, and does it no harm."""
    with pytest.raises(BrokerError, match="runs already"):
        broker.start()
    assert broker.running


@pytest.mark.parametrize("end", [Broker.stop, Broker.kill])
def test_restart(spare: Broker, end: Callable[[Broker], None]) -> None:
    """After a stop or a kill it starts again at the same address with all its data."""
    address, kafka = spare.address, Kafka(spare.address)
    topic = kafka.create_topic(f"before-{end.__name__}", partitions=3, config={"max.message.bytes": "2000"})
    kafka.produce(topic, RECORDS)
    end(spare)
    assert not spare.running
    spare.start()
    assert spare.address == address
    assert sorted(kafka.read(topic, 3), key=str) == sorted(RECORDS, key=str)
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        kafka.produce(topic, [Record(value=bytes(3000))])


def test_death_is_noticed(spare: Broker) -> None:
    """A broker that someone else killed is not running, and can be started again."""
    os.kill(spare.pid, signal.SIGKILL)
    wait_until(lambda: not spare.running, "notice of the broker's death")
    spare.start()
    assert Kafka(spare.address).create_topic("after-death")


def test_pause(spare: Broker) -> None:
    """A paused broker is alive but does not answer. A resumed one answers."""
    admin = AdminClient({"bootstrap.servers": spare.address, "log_level": 0})
    admin.list_topics(timeout=60)
    spare.pause()
    assert spare.running
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=0.5)
    spare.resume()
    assert admin.list_topics(timeout=60).brokers


def test_taken_port() -> None:
    """A given port that is taken is one line that names it, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=rf"\Aport {port} of 127\.0\.0\.1 is in use; [^\n]*\Z"):
            Broker(port).start()


def test_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chosen port that someone takes in between is chosen again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = choose_ports(None)
        answers = iter([Ports(taken.getsockname()[1], *chosen[1:]), chosen])
        monkeypatch.setattr(broker_module, "choose_ports", lambda _: next(answers))
        with Broker() as broker:
            assert broker.port == chosen.clients
            assert Kafka(broker.address).create_topic("any")


def test_given_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A given folder is made and kept, and a damaged AOT cache does no harm."""
    damaged, folder = tmp_path / "damaged.aot", tmp_path / "kafka"
    damaged.write_bytes(bytes(5000))
    monkeypatch.setattr("tools.broker.node.aot_cache", lambda: damaged)
    with Broker(data=folder) as broker:
        Kafka(broker.address).create_topic("any")
    assert (folder / "data" / "any-0").is_dir()


@pytest.mark.parametrize(
    ("properties", "seconds", "message"),
    [
        ({"process.roles": "cook"}, 60.0, r"Apache Kafka ended with exit code 1; its log ends:\n(.*\n)*.*cook"),
        ({}, 0.0, "Apache Kafka did not answer within 0 s; its log ends:"),
    ],
)
def test_no_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, properties: dict[str, str], seconds: float, message: str
) -> None:
    """A broker that exits or does not answer is an error with the end of Kafka's log, and leaves nothing behind."""
    monkeypatch.setattr(broker_module, "_START_TIMEOUT", seconds)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(BrokerError, match=message), Broker(properties=properties):
        pytest.fail("it has started")
    assert not list(tmp_path.iterdir())


def test_secured() -> None:
    """With settings for the listener CLIENTS only, it asks its clients for a password."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    properties = {
        "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": f'{module} required user_alice="right";',
    }
    sasl = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "alice", "log_level": 0}
    with Broker(properties=properties) as broker:
        right, wrong = (
            AdminClient({"bootstrap.servers": broker.address, **sasl, "sasl.password": password})
            for password in ("right", "wrong")
        )
        assert right.list_topics(timeout=60).brokers
        with pytest.raises(KafkaException):
            wrong.list_topics(timeout=1)


@pytest.mark.parametrize(("made", "java"), [(True, 25), (False, 24)])
def test_untrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: bool, java: int) -> None:  # noqa: FBT001
    """The AOT cache is not created again, nor with a Java that is too old."""
    cache = tmp_path / "any.aot"
    if made:
        cache.touch()
    monkeypatch.setattr(broker_module, "aot_cache", lambda: cache)
    monkeypatch.setattr(broker_module, "java_version", lambda _: java)
    monkeypatch.setattr(broker_module, "Broker", lambda **_: pytest.fail("it started"))
    train()
    assert cache.exists() == made


def test_command(tmp_path: Path) -> None:
    """`python -m tools.broker` prints one line with its address, exits at SIGTERM with 0, and leaves nothing behind."""
    port = free_port()
    command = [sys.executable, "-m", "tools.broker", "--port", str(port)]
    with ChildProcess(command, stdout=subprocess.PIPE, env=_environment(tmp_path)) as process:
        assert process.stdout is not None
        assert f"127.0.0.1:{port}" in process.stdout.readline().decode()
        assert Kafka(f"127.0.0.1:{port}").create_topic("any")
        process.terminate()
        assert process.stdout.read() == b""
        assert process.wait(60) == 0
    assert not list(tmp_path.iterdir())


def test_parent_killed(tmp_path: Path) -> None:
    """Kafka dies with the process that started it, even with SIGKILL, but not with the thread that started it."""
    command = [sys.executable, "-c", _ORPHAN]
    with ChildProcess(command, stdout=subprocess.PIPE, env=_environment(tmp_path)) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert _alive(pid)
        process.kill()
    wait_until(lambda: not _alive(pid), "the end of Kafka")
