"""The generator as its users run it, against a real broker: what arrives, and how it ends."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import ADDRESS, BrokerSettings
from tests.errors_page import NO_LINE, check_row
from tests.forked import ForkedProcess, start
from tests.kafka import TIMEOUT, Kafka, Record
from tests.tools.generator.test_command import NOT_OURS, VARIABLES
from tools.broker.embedded import Broker
from tools.child_process import ChildProcess
from tools.generator.logins import MALFORMED_KINDS, WELL_FORMED
from tools.waiting import wait_until
from transforms import Malformed, upper_device_type

ROOT = Path(__file__).parents[3]
NOWHERE = "127.0.0.1:1"
START = ["-m", "tools.generator"]
IMPATIENT = [str(Path(__file__).with_name("run_impatient.py"))]
LAST_LINE = re.compile(r"generator: (\d+) sent to (\S+?)(?: \((.+)\))?(?:, (\d+) of them not delivered)?\n")


def last_error(log: str) -> str:
    """The line that ended it, if it is the only error and there is no stack trace."""
    lines = log.splitlines()
    assert [line for line in lines if " ERROR " in line] == lines[-1:], log
    return lines[-1]


@contextmanager
def running(
    *arguments: str, program: Sequence[str] = START, cwd: Path = ROOT, **settings: object
) -> Iterator[ForkedProcess | ChildProcess]:
    """Start the generator with only these settings, and kill it at the end of the block."""
    with start([*program, *arguments], cwd=cwd, env=only(settings), errors=True) as process:
        try:
            yield process
        finally:
            process.end()


def only(settings: Mapping[str, object]) -> dict[str, str]:
    """Our environment, with only these of the generator's settings."""
    return NOT_OURS | {name: str(value) for name, value in settings.items()} | {"PYTHONPATH": str(ROOT)}


def run(*arguments: str, program: Sequence[str] = START, cwd: Path = ROOT, **settings: object) -> tuple[int, str, str]:
    """Run the generator to its end, and return its exit code and its output."""
    with running(*arguments, program=program, cwd=cwd, **settings) as process:
        return end_of(process)


def end_of(process: ForkedProcess | ChildProcess) -> tuple[int, str, str]:
    """Wait for its end, and give its exit code and what it wrote."""
    out, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, out.decode(), err.decode()


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used so far (on Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def sent(last_line: str) -> tuple[int, str, dict[str, int], int]:
    """Read the generator's last line: the number sent, the topic, the reasons, and how many were not delivered."""
    found = LAST_LINE.fullmatch(last_line)
    assert found, last_line
    pairs = [part.split() for part in (found[3] or "").split(", ") if part]
    return int(found[1]), found[2], {reason: int(count) for reason, count in pairs}, int(found[4] or 0)


def without_time(found: list[Record]) -> list[tuple[bytes | None, bytes | None]]:
    """Return keys and values, without the `timestamp`."""
    time_field = re.compile(rb'"timestamp": \d{10}')
    return [(one.key, one.value and time_field.sub(b'"timestamp": 0', one.value)) for one in found]


@pytest.fixture
def topic() -> str:
    """A topic's name that no other test uses."""
    return f"logins-{uuid.uuid4().hex[:12]}"


def test_count(kafka: Kafka, topic: str) -> None:
    """It sends COUNT records to a topic that it creates with one partition, prints what it sent, and exits with 0."""
    code, out, err = run(Quix__Broker__Address=kafka.address, output=topic, COUNT=700, RATE=0, MALFORMED=0.4)
    assert code == 0, err
    found = kafka.read(topic, 700)
    verdicts = [upper_device_type(record.value) for record in found]
    by_reason = Counter(v.reason if isinstance(v, Malformed) else WELL_FORMED for v in verdicts)
    assert sent(out) == (700, topic, by_reason, 0)
    assert set(by_reason) == {*MALFORMED_KINDS, WELL_FORMED}
    assert kafka.partitions(topic) == [0]
    assert all(uuid.UUID((record.key or b"").decode()).version == 4 and not record.headers for record in found)


def test_same_seed(kafka: Kafka, topics: Callable[..., str]) -> None:
    """Two runs with one seed send the same records in the same order, except for the time."""
    runs = []
    for _ in range(2):
        topic = topics("logins")
        code, _, err = run(
            BOOTSTRAP_SERVERS=kafka.address, KAFKA_TOPIC=topic, COUNT=500, RATE=0, SEED=11, MALFORMED=0.3
        )
        assert code == 0, err
        runs.append(without_time(kafka.read(topic, 500)))
    assert len(runs[0]) == 500
    assert runs[0] == runs[1]


def test_rate(kafka: Kafka, topic: str) -> None:
    """Left to itself, it keeps to its rate: what arrives fits the time from the first record to the last."""
    code, _, err = run(Quix__Broker__Address=kafka.address, output=topic, COUNT=121, RATE=60)
    assert code == 0, err
    found = kafka.read(topic, 121)
    assert len(found) == 121
    assert 1600 < found[-1].timestamp - found[0].timestamp < 30_000
    assert all(abs(json.loads(one.value or b"")["timestamp"] * 1000 - one.timestamp) < 10_000 for one in found)


@pytest.mark.parametrize(("number", "rate"), [(signal.SIGTERM, 0), (signal.SIGINT, 50)])
def test_stop(kafka: Kafka, topics: Callable[..., str], number: signal.Signals, rate: int) -> None:
    """SIGTERM and SIGINT stop it: all records that it reports are in the topic, and it exits with 0."""
    topic = topics("logins")
    with running(Quix__Broker__Address=kafka.address, output=topic, RATE=rate) as process:
        wait_until(lambda: kafka.end_offsets(topic)[0] >= 20, "the first records")
        process.send_signal(number)
        code, out, err = end_of(process)
    assert code == 0, err
    total, _, _, not_delivered = sent(out)
    assert (total, not_delivered) == (kafka.end_offsets(topic)[0], 0)


def manifest_of(file: Path) -> list[dict[str, Any]]:
    """The lines of a manifest."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_manifest(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    """The manifest has each record of the topic once, with its place, in order. A second run adds its own."""
    file = tmp_path / "manifest.jsonl"
    settings: dict[str, Any] = {"output": topic, "RATE": 0, "MALFORMED": 0.4, "TOPIC_PARTITIONS": 3}
    for count in 300, 200:
        code, _, err = run("--manifest", str(file), BOOTSTRAP_SERVERS=kafka.address, COUNT=count, **settings)
        assert code == 0, err
    lines = manifest_of(file)
    by_partition = sorted(lines, key=lambda line: line["partition"])  # within a partition, their order stays
    assert len({line["partition"] for line in lines}) == 3
    found = kafka.read(topic, 500)
    assert [(line["partition"], line["offset"], line["key"].encode()) for line in by_partition] == [
        (record.partition, record.offset, record.key) for record in found
    ]
    for line, record in zip(by_partition, found, strict=True):
        result = upper_device_type(record.value)
        described = record.value if isinstance(result, Malformed) else result
        assert line["reason"] == (result.reason if isinstance(result, Malformed) else None)
        assert line["digest"] == (None if described is None else hashlib.sha256(described).hexdigest())
    assert {line["reason"] for line in lines} == {None, *MALFORMED_KINDS}


def test_manifest_of_a_stop(kafka: Kafka, topics: Callable[..., str], tmp_path: Path) -> None:
    """Stopped by SIGTERM, it leaves a manifest of whole lines with each record of the topic."""
    topic, file = topics("logins"), tmp_path / "manifest.jsonl"
    with running("--manifest", str(file), Quix__Broker__Address=kafka.address, output=topic, RATE=0) as process:
        wait_until(lambda: kafka.end_offsets(topic)[0] >= 1000, "the first records")
        process.send_signal(signal.SIGTERM)
        code, _, err = end_of(process)
    assert code == 0, err
    assert [line["offset"] for line in manifest_of(file)] == list(range(kafka.end_offsets(topic)[0]))


@pytest.mark.long
def test_manifest_of_a_kill(kafka: Kafka, topics: Callable[..., str], tmp_path: Path) -> None:
    """Killed by SIGKILL, it leaves a manifest of whole lines, each of a record of the topic."""
    topic, file = topics("logins"), tmp_path / "manifest.jsonl"
    with running("--manifest", str(file), Quix__Broker__Address=kafka.address, output=topic, RATE=0) as process:
        wait_until(lambda: file.exists() and file.stat().st_size > 100_000, "the first lines")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)
    keys = [record.key for record in kafka.read(topic, 1)]
    lines = manifest_of(file)
    assert len(lines) > 500
    assert [line["key"].encode() for line in lines] == keys[: len(lines)]


UNWRITABLE = {
    "generator: a manifest in no folder": ("nowhere/manifest.jsonl", 78),
    "generator: a manifest on a full disk": ("/dev/full", 70),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_unwritable_manifest(kafka: Kafka, topic: str, name: str) -> None:
    """A manifest that cannot be written ends it with one line that names the file."""
    file, exit_code = UNWRITABLE[name]
    code, _, err = run("--manifest", file, BOOTSTRAP_SERVERS=kafka.address, output=topic, COUNT=5, RATE=0)
    assert code == exit_code
    check_row("Tools", name, code, last_error(err))


def test_topic_made_with_partitions(kafka: Kafka, topic: str) -> None:
    """A missing topic is created with TOPIC_PARTITIONS, and a line says so. An existing one does not change."""
    where: dict[str, Any] = {"Quix__Broker__Address": kafka.address, "output": topic, "COUNT": 1}
    code, _, err = run(TOPIC_PARTITIONS=4, **where)
    assert code == 0, err
    assert f'Topic "{topic}" has been created' in err
    code, _, err = run(TOPIC_PARTITIONS=2, **where)
    assert code == 0, err
    assert "created" not in err
    assert kafka.partitions(topic) == [0, 1, 2, 3]


def test_dotenv_as_a_process(kafka: Kafka, topic: str, tmp_path: Path) -> None:
    """A `.env` file is ignored, whether or not the environment has the same setting."""
    (tmp_path / ".env").write_text(f"Quix__Broker__Address={NOWHERE}\noutput=wrong\nMALFORMED=wrong\nSEED=wrong\n")
    code, out, err = run(cwd=tmp_path, BOOTSTRAP_SERVERS=kafka.address, KAFKA_TOPIC=topic, COUNT=2, RATE=0)
    assert code == 0, err
    assert sent(out)[:2] == (2, topic)


def test_refused_record(kafka: Kafka, topics: Callable[..., str]) -> None:
    """A record that the broker refuses is counted as not delivered and ends it with an error, 70."""
    topic = topics("logins", config={"max.message.bytes": "100"})
    code, out, err = run(Quix__Broker__Address=kafka.address, output=topic, COUNT=5)
    assert code == 70
    assert sent(out)[3] >= 1
    check_row(
        "Tools", "generator: a topic whose max.message.bytes is too small", 70, last_error(err), {topic: "logins"}
    )
    assert kafka.read(topic, 0) == []


def test_refused_topic(kafka: Kafka, topic: str) -> None:
    """A topic that the broker refuses to create is one line with the generator's own settings."""
    kafka.create_topic(f"{topic}_a")  # Kafka does not tell such names apart in its metrics
    code, out, err = run(Quix__Broker__Address=kafka.address, output=f"{topic}.a")
    assert out == ""
    check_row("Tools", "generator: a topic that the broker does not create", code, last_error(err), {topic: "logins"})


STREAMS = {
    "generator: standard output is closed": (">&-", 0),
    "generator: standard output on a full disk": (">/dev/full", 70),
}


@pytest.mark.long
@pytest.mark.parametrize("name", STREAMS)
def test_standard_output(kafka: Kafka, topic: str, name: str) -> None:
    """It sends without a standard output. One that it cannot write to is one line."""
    redirection, exit_code = STREAMS[name]
    shell = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, *START]
    settings = only({"Quix__Broker__Address": kafka.address, "output": topic, "COUNT": 5, "RATE": 0})
    ended = subprocess.run(shell, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    code, err = ended.returncode, ended.stderr
    assert len(kafka.read(topic, 5)) == 5
    assert "Traceback" not in err
    check_row("Tools", name, code, last_error(err) if exit_code else NO_LINE)
    assert code == exit_code


@pytest.mark.long
def test_broker_lost(topic: str) -> None:
    """Asked to stop while the broker is away, it stops in time, prints what was not delivered, and exits with 69."""
    with Broker() as own:
        own_kafka = Kafka(own.address)
        own_kafka.create_topic(topic)
        with running(program=IMPATIENT, Quix__Broker__Address=own.address, output=topic, RATE=0) as process:
            wait_until(lambda: own_kafka.end_offsets(topic)[0], "the first records")
            own.pause()
            before = cpu_seconds(process.pid)
            wait_until(lambda: cpu_seconds(process.pid) > before + 0.1, "records that the broker does not take")
            process.send_signal(signal.SIGTERM)
            code, out, err = end_of(process)
    assert code == 69, err
    assert sent(out)[3] >= 1
    assert "the broker did not take" in err.splitlines()[-1]


def test_no_broker() -> None:
    """Without a broker it logs one line with the address, prints nothing, and exits with 69."""
    code, out, err = run(program=IMPATIENT, BOOTSTRAP_SERVERS=NOWHERE)
    assert (code, out) == (69, "")
    starting, problem = err.splitlines()
    assert "starting: " in starting
    assert NOWHERE in problem
    assert "python -m tools.broker --port" in problem


def test_stop_before_the_broker_answers() -> None:
    """Asked to stop while it waits for the broker, it stops and exits with 0."""
    with running(BOOTSTRAP_SERVERS=NOWHERE) as process:
        assert process.stderr is not None
        assert any(b"starting: " in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        code, out, _ = end_of(process)
    assert (code, out) == (0, "")  # 69 if it had gone on waiting


def test_help() -> None:
    """--help names every setting of the generator."""
    code, out, _ = run("--help")
    assert code == 0
    in_the_text = {ADDRESS, "LOG_LEVEL", "LOG_FORMAT", "HTTP_PORT", "HTTP_HOST"}
    assert {"KAFKA_TOPIC", "BOOTSTRAP_SERVERS", *VARIABLES} - set(re.findall(r"\w+", out)) == {
        str(field.validation_alias)
        for field in BrokerSettings.model_fields.values()
        if field.validation_alias not in in_the_text
    }


def test_command_line() -> None:
    """An unknown option ends it with 2."""
    code, out, err = run("--rate", "5")
    assert (code, out) == (2, "")
    assert "unrecognized arguments: --rate 5" in err
