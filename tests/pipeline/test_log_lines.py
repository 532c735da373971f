"""The log of a running pipeline: machine-readable, few lines, and no record contents."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.brokers import STEADY
from tests.kafka import TIMEOUT, Kafka, Record
from tests.process import RUNNING, Pipeline, Pipelines
from tools.broker.cluster import Cluster
from tools.waiting import wait_until

CANARY = "canary"
HOSTILE = b"canary\n2026-01-01 00:00:00.000 ERROR   forged | canary \x1b[2J\r"
BURST = 5000
VALUES = {
    "invalid_utf8": b'{"ip": "canary", "x": "\xff"}',
    "invalid_json": b'{"ip": "canary", canary',
    "not_an_object": b'["canary"]',
    "missing_device_type": b'{"ip": "canary", "canary": 1}',
    "duplicate_device_type": b'{"device_type": "canary", "device_type": "canary"}',
    "invalid_device_type": b'{"ip": "canary", "device_type": ["canary"]}',
    "well_formed": b'{"ip": "canary", "device_type": "canary"}',
}
SECRETS = {
    "Quix__Sdk__Token": "s3cret-token",
    "BROKER_SASL_PASSWORD": "s3cret-password",
    "BROKER_SSL_KEY_PASSWORD": "s3cret-key",
}
FORMATS = ["text", "json"]
LIMITS_SCRIPT = Path(__file__).with_name("run_limits.py")


class Run(NamedTuple):
    """A stopped pipeline, the fields of its log lines, and the number of records of each kind."""

    pipeline: Pipeline
    lines: list[dict[str, Any]]
    sent: Counter[str]


@pytest.fixture(scope="module")
def runs(kafka: Kafka, shared_pipelines: Pipelines) -> dict[str, Run]:
    """A pipeline for each format, both with LOG_LEVEL=DEBUG, that gets a burst of malformed records."""
    sent = Counter(name for number in range(BURST) for name in [list(VALUES)[number % len(VALUES)]])
    records = [
        Record(HOSTILE, VALUES[name], [(HOSTILE.decode(), HOSTILE), ("malformed", HOSTILE)]) for name in sent.elements()
    ]
    started = {}
    for form in FORMATS:
        source, target = (
            kafka.create_topic(f"logs-{form}-in"),
            kafka.create_topic(f"logs-{form}-out"),
        )
        kafka.produce(source, records)
        pipeline = shared_pipelines.start(source, target, LOG_FORMAT=form, LOG_LEVEL="DEBUG")
        started[form] = target, pipeline
    return {form: finish(kafka, target, pipeline, sent) for form, (target, pipeline) in started.items()}


def finish(kafka: Kafka, target: str, pipeline: Pipeline, sent: Counter[str]) -> Run:
    """Stop a pipeline once it has written all records."""
    pipeline.wait_for(RUNNING)
    kafka.read(target, sent.total())
    assert pipeline.stop() == 0
    is_json = pipeline.lines[0].startswith("{")
    lines = [json.loads(line) if is_json else fields_of(line) for line in pipeline.lines]
    return Run(pipeline, lines, sent)


def fields_of(line: str) -> dict[str, Any]:
    """The parts of a line of text."""
    found = re.fullmatch(r"(?P<time>\S+ \S+) (?P<level>[A-Z]+) +(?P<logger>\S+) \| (?P<message>.*)", line)
    assert found is not None, line
    return found.groupdict()


@pytest.fixture(params=FORMATS)
def run(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    """Each of the runs."""
    return runs[request.param]


def test_every_line(run: Run) -> None:
    """Every line, those of libraries included, has a time, a level, a logger and a message, in both formats."""
    assert {"runtime.command", "quixstreams.app"} <= {line["logger"] for line in run.lines}
    for line in run.lines:
        assert line.keys() >= {"time", "level", "logger", "message"}
        assert line["level"] in ("DEBUG", "INFO", "WARNING", "ERROR")


def test_start_line(run: Run) -> None:
    """The first line has the effective settings, by variable name."""
    first = run.lines[0]["message"]
    assert first.startswith("starting: ")
    for text in (
        "Quix__Broker__Address=127.0.0.1:",
        "input=logs-",
        "PROCESSING_GUARANTEE=exactly-once",
        "COMMIT_EVERY=10",
    ):
        assert text in first


def test_members(runs: dict[str, Run]) -> None:
    """In JSON, the settings of the first line and the totals of the last line are members."""
    run = runs["json"]
    first, last = run.lines[0], run.lines[-1]
    assert first["settings"]["COMMIT_EVERY"] == 10
    assert last["in"] == last["out"] == run.sent.total()
    assert last["malformed"] == {name: count for name, count in run.sent.items() if name != "well_formed"}


def test_few_warnings(run: Run) -> None:
    """A burst of malformed records causes few warnings, whose counts add up to the records of each reason."""
    counted: Counter[str] = Counter()
    for line in run.lines:
        if line["level"] == "WARNING":
            found = re.fullmatch(
                r"(\d+) malformed records? \((\w+)\), latest at logs-\w+-in\[0\]@(\d+)", line["message"]
            )
            assert found is not None, line
            counted[found[2]] += int(found[1])
            assert int(found[3]) < run.sent.total()

    assert counted == Counter({name: count for name, count in run.sent.items() if name != "well_formed"})
    assert sum(line["level"] == "WARNING" for line in run.lines) < BURST / 100


def test_no_personal_data(run: Run) -> None:
    """The log has nothing of a record's value, key or headers, even with LOG_LEVEL=DEBUG."""
    assert CANARY not in run.pipeline.log


def test_secrets(tmp_path: Path) -> None:
    """Secrets are masked in the start line and are nowhere else in the log."""
    settings = {
        "Quix__Broker__Address": "nowhere.invalid:9092",
        "LOG_LEVEL": "DEBUG",
        "BROKER_SECURITY_PROTOCOL": "sasl_ssl",
        "BROKER_SASL_MECHANISM": "plain",
        "BROKER_SASL_USERNAME": "alice",
    }
    with Pipeline(settings | SECRETS, tmp_path) as pipeline:
        start = pipeline.wait_for("starting: ")
        assert pipeline.stop() == 0
    assert "BROKER_SASL_USERNAME=alice" in start
    for name, secret in SECRETS.items():
        assert f"{name}=***" in start
        assert secret not in pipeline.log


@pytest.mark.long
def test_idle(tmp_path: Path) -> None:
    """A worker without records logs its report, and nothing else, although it closes and opens idle connections."""
    with (
        Cluster(2, STEADY) as cluster,
        Pipelines(cluster.address, tmp_path, LIMITS_SCRIPT) as pipelines,
    ):
        kafka = Kafka(cluster.address)
        source, target = (kafka.create_topic(name, 2) for name in ("in", "out"))
        kafka.produce(source, [Record(value=VALUES["well_formed"], partition=number) for number in range(2)])
        own = {"LIMITS": "REPORT_INTERVAL=20"}
        started = [
            pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee, Quix__Consumer_Group=guarantee, **own)
            for guarantee in ("exactly-once", "at-least-once")
        ]
        report = "running: 2 in"
        wait_until(lambda: all(each.log.count(report) >= 2 for each in started), "the second report", 4 * TIMEOUT)
        for pipeline in started:
            assert pipeline.stop() == 0
            reports = [number for number, line in enumerate(pipeline.lines) if report in line]
            assert reports[1] == reports[0] + 1, pipeline.log
