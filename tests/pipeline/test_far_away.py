"""Brokers behind a proxy: slow, with other answers than Apache Kafka's, or losing a connection."""

import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.proxy import NetworkConditions
from tests.brokers import advertising
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipeline, Pipelines
from tests.tampering import CREATE_TOPICS, TamperingProxy
from tools.broker.ports import HOST, free_port

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

LIMITS_SCRIPT = Path(__file__).with_name("run_limits.py")
SENT = [Record(None, b'{"device_type": "ios"}')]
ANSWER_TIME = 1.4  # seconds
PATIENCE = 180.0  # seconds: a start has some twenty requests
HURRIED = "check with less time"
SLOW, LOST = "every answer takes 1.4 s", "the connection is lost while the output topic is created"
WARNED = {
    "the broker does not report max.message.bytes": (b"max.message.bytes", b"max.message.bytez"),
    "max.message.bytes is no number": (b"1048588", b"unknown"),
}
"""By situation, what is replaced in the broker's answers."""

OLDER = "a broker before Kafka 4.0"
END_TXN_4, END_TXN_5 = (struct.pack(">hhh", 26, 0, highest) for highest in (4, 5))
"""How the answer to ApiVersions tells the versions of EndTxn, before Kafka 4.0 and since."""


def tamper(situation: str, proxy: TamperingProxy) -> None:
    """Make the proxy cause a situation."""
    if situation == SLOW:
        proxy.conditions = NetworkConditions(delay=ANSWER_TIME / 2)
    elif situation == LOST:
        proxy.refused = CREATE_TOPICS
    else:
        proxy.replaced = (END_TXN_5, END_TXN_4) if situation == OLDER else WARNED[situation]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kafka, dict[str, Pipeline]]]:
    """A client of the broker, and by situation a pipeline, or `check`, behind a proxy of its own, all in parallel."""
    situations = [SLOW, LOST, *WARNED, OLDER]
    ports = {f"PROXY{number}": free_port() for number in range(len(situations))}
    broker, listeners = advertising({name: f"{HOST}:{port}" for name, port in ports.items()})
    with broker, ExitStack() as stack:
        kafka = Kafka(broker.address)
        kafka.create_topic("in")
        kafka.produce("in", SENT)
        hurried = stack.enter_context(Pipelines("", tmp_path_factory.mktemp("hurried"), LIMITS_SCRIPT))
        pipelines = stack.enter_context(Pipelines("", tmp_path_factory.mktemp("far-away")))
        started = {}
        for number, (situation, (name, port)) in enumerate(zip(situations, ports.items(), strict=True)):
            proxy = stack.enter_context(TamperingProxy(port, int(listeners[name].rpartition(":")[2])))
            tamper(situation, proxy)
            output = f"out-{number}" if situation == LOST else kafka.create_topic(f"out-{number}")
            own = {"Quix__Broker__Address": f"{HOST}:{port}", "Quix__Consumer_Group": output}
            create = {"AUTO_CREATE_TOPICS": "true"} if situation == LOST else {}
            if situation == SLOW:
                started[HURRIED] = hurried.start("in", output, "check", **own, LIMITS="CHECK_TIMEOUT=1")
            if situation != OLDER:
                started[situation] = pipelines.start("in", output, **own, **create)
            if situation != LOST:
                started[f"check {situation}"] = pipelines.start("in", output, "check", **own)
        yield kafka, started


@pytest.mark.parametrize("situation", [SLOW, *WARNED])
def test_works(runs: tuple[Kafka, dict[str, Pipeline]], situation: str) -> None:
    """The pipeline works: slow answers have time, and an unknown limit is Kafka's default, with a warning."""
    kafka, pipeline = runs[0], runs[1][situation]
    output = f"out-{[SLOW, LOST, *WARNED].index(situation)}"
    assert kafka.read(output, 1, timeout=PATIENCE) == [expected(record) for record in SENT]
    pipeline.stop()
    assert pipeline.wait(PATIENCE) == 0
    warnings = [line for line in pipeline.lines if re.search("(WARNING|ERROR) +runtime", line)]
    assert len(warnings) == (situation in WARNED), pipeline.log
    line, exit_code = (warnings[0], None) if warnings else (pipeline.lines[-1], 0)
    check_row("At the start", situation, exit_code, line, {r"out-\d": "out"})


def test_slow_check(runs: tuple[Kafka, dict[str, Pipeline]]) -> None:
    """With slow answers, `check` has the time to check everything: it asks all that is independent at once."""
    check = runs[1][f"check {SLOW}"]
    assert check.wait(PATIENCE) == 0, check.log
    assert {line.split()[0] for line in check.lines} == {"ok"}, check.log
    assert "lag " in check.wait_for("ok      group ")


def test_check_without_time(runs: tuple[Kafka, dict[str, Pipeline]]) -> None:
    """What `check` has no time for is a warning that names the time. The exit code is that of `run`, which works."""
    check = runs[1][HURRIED]
    assert check.wait(PATIENCE) == 0, check.log
    assert not [line for line in check.lines if line.startswith("wrong ")], check.log
    for subject in ("brokers", "topic in", "topic out-0", "topics", "transactions", "group out-0"):
        check.wait_for(f"warning {subject}: not checked: no complete answer within 1 s; `run` waits longer")


@pytest.mark.parametrize("situation", WARNED)
def test_check(runs: tuple[Kafka, dict[str, Pipeline]], situation: str) -> None:
    """`check` warns in the same words."""
    check, pipeline = runs[1][f"check {situation}"], runs[1][situation]
    assert check.wait(PATIENCE) == 0, check.log
    check.wait_for("warning topics: ", pipeline.wait_for("WARNING", "max.message.bytes").partition(" | ")[2])


def test_broker_that_stops_to_answer(tmp_path: Path) -> None:
    """If no broker answers any more, `check` ends in its time, however long `run` would wait, and says so."""
    port = free_port()
    broker, listeners = advertising({"PROXY": f"{HOST}:{port}"})
    patient = "START_TIMEOUT=600 COMMITTED_OFFSETS_TIMEOUT=600"
    with (
        broker,
        TamperingProxy(port, int(listeners["PROXY"].rpartition(":")[2])) as proxy,
        Pipelines(f"{HOST}:{port}", tmp_path, LIMITS_SCRIPT) as pipelines,
    ):
        proxy.conditions = NetworkConditions(delay=0.2)
        check = pipelines.start("in", "out", "check", LIMITS=patient)
        check.wait_for("ok      connection: ")
        proxy.conditions = NetworkConditions(delay=600)
        assert check.wait(PATIENCE) == 69, check.log
        check.wait_for("wrong ", f"no broker answers at {HOST}:{port} ")


def test_older_broker(runs: tuple[Kafka, dict[str, Pipeline]]) -> None:
    """`check` warns of a broker that is older than Kafka 4.0."""
    check = runs[1][f"check {OLDER}"]
    assert check.wait(PATIENCE) == 0, check.log
    check.wait_for("warning version: older than Kafka 4.0")


def test_lost_connection(runs: tuple[Kafka, dict[str, Pipeline]]) -> None:
    """A connection that is lost while a topic is created is not a wrong setting: a restart helps."""
    pipeline = runs[1][LOST]
    assert pipeline.wait(PATIENCE) == 69, pipeline.log
    assert "Traceback" not in pipeline.log
    reason = {r"(?<=out': ')[^']*": "(librdkafka's reason)"}
    check_row("At the start", LOST, 69, pipeline.lines[-1], {r"out-\d": "out"} | reason)
