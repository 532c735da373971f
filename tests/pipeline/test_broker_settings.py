"""Brokers that answer, but whose settings or addresses prevent the start: an exit code, and a line with the cause."""

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from types import MappingProxyType
from typing import NamedTuple

import pytest
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.brokers import AUTHORIZED, NO_GROUPS, STEADY, IncompleteBroker, advertising, hide
from tests.checked import assert_says_the_same
from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.process import Pipeline, Pipelines
from tools.broker.embedded import Broker
from tools.broker.ports import HOST

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

NO_TRANSACTIONS = {"transaction.state.log.replication.factor": "3", **AUTHORIZED}


DEAD = {"dead_letter": "dead"}
FULL = "max.connections.per.ip is reached"
TIGHT = "max.connections.per.ip is less than a worker needs"


class Run(NamedTuple):
    """A situation: at which address of `addresses`, how it ends, with which settings, in which section, the command."""

    address: str
    exit_code: int
    settings: Mapping[str, object] = MappingProxyType({})
    section: str = "At the start"
    command: str = "run"


RUNS = {
    "one broker, offsets.topic.replication.factor=3": Run("NO_GROUPS", 78),
    "one broker, default.replication.factor=3, the output topic is to be created": Run(
        "NO_GROUPS", 78, {"output": "new", "AUTO_CREATE_TOPICS": "true"}
    ),
    "one broker, transaction.state.log.replication.factor=3, which the user may not read": Run("NO_TRANSACTIONS", 78),
    "advertised.listeners names a host that cannot be resolved": Run("UNKNOWN", 69),
    "advertised.listeners leads to a port without a listener": Run("DEAD", 69),
    FULL: Run("FULL", 69),
    TIGHT: Run("TIGHT", 69, section="While running"),
    "replay: one broker, offsets.topic.replication.factor=3": Run("NO_GROUPS", 78, DEAD, "Tools", "replay"),
    "replay: one broker, transaction.state.log.replication.factor=3, which the user may not read": Run(
        "NO_TRANSACTIONS", 78, DEAD, "Tools", "replay"
    ),
}
CHECKED = [
    each for each, run in RUNS.items() if run.command == "run" and each != TIGHT and "output" not in run.settings
]
"""The situations in which `check` runs as well. With few connections, those of `check` would count."""


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """The brokers' addresses, by kind."""
    with closing(socket.socket()) as unused, ExitStack() as stack, ThreadPoolExecutor() as pool:
        unused.bind((HOST, 0))
        advertises = {"UNKNOWN": "kafka.invalid:9092", "DEAD": f"{HOST}:{unused.getsockname()[1]}"}
        elsewhere, listeners = advertising(advertises)
        brokers = {
            "NO_GROUPS": IncompleteBroker(properties=NO_GROUPS),
            "NO_TRANSACTIONS": IncompleteBroker(properties=NO_TRANSACTIONS),
            "FULL": Broker(properties=STEADY),
            "TIGHT": Broker(properties=STEADY),
            "ELSEWHERE": elsewhere,
        }
        for broker in brokers.values():
            stack.callback(broker.close)
        list(pool.map(Broker.start, brokers.values()))
        for broker in brokers.values():
            kafka = Kafka(broker.address)
            for topic in ("in", "out", "dead"):
                kafka.create_topic(topic)
        kafka = Kafka(brokers["TIGHT"].address)
        kafka.produce("in", [Record(value=b'{"device_type": "ios"}')])
        del kafka  # its connections count
        limit_connections(brokers["TIGHT"], 4)
        hide(brokers["NO_TRANSACTIONS"].address, ResourceType.BROKER, "kafka-cluster", AclOperation.DESCRIBE_CONFIGS)
        limit_connections(brokers["FULL"])
        yield {name: broker.address for name, broker in brokers.items()} | listeners


def limit_connections(broker: Broker, count: int = 1) -> None:
    """Make the broker close each connection beyond these."""
    admin = AdminClient({"bootstrap.servers": broker.address})
    resource = ConfigResource(ResourceType.BROKER, "1")
    entry = ConfigEntry("max.connections.per.ip", f"{count}", incremental_operation=AlterConfigOpType.SET)
    resource.add_incremental_config(entry)
    admin.incremental_alter_configs([resource])[resource].result(TIMEOUT)


@pytest.fixture(scope="module")
def runs(addresses: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pipeline]]:
    """A pipeline and a `check` for each situation, all in parallel."""
    with Pipelines("", tmp_path_factory.mktemp("runs")) as pipelines:
        started = {}
        for situation, run in RUNS.items():
            settings = {"Quix__Broker__Address": addresses[run.address], **run.settings}
            started[situation] = pipelines.start("in", "out", run.command, **settings)
            if situation in CHECKED and run.address != "FULL":
                started[f"check {situation}"] = pipelines.start("in", "out", "check", **settings)
        started[FULL].wait(4 * TIMEOUT)  # otherwise, the connections of one count for the other
        settings = {"Quix__Broker__Address": addresses["FULL"]}
        started[f"check {FULL}"] = pipelines.start("in", "out", "check", **settings)
        yield started


@pytest.mark.parametrize("situation", RUNS)
def test_stop(runs: dict[str, Pipeline], situation: str) -> None:
    """The pipeline ends with this exit code, and with one line that names the cause."""
    pipeline = runs[situation]
    assert pipeline.wait(4 * TIMEOUT) == RUNS[situation].exit_code, pipeline.log
    errors = [line for line in pipeline.lines if "ERROR" in line]
    assert errors == [pipeline.lines[-1]]
    assert "Traceback" not in pipeline.log
    forced = {r"; ended by force after .*": ""}  # without a connection, the shutdown may take too long
    check_row(RUNS[situation].section, situation, RUNS[situation].exit_code, errors[0], forced)


@pytest.mark.parametrize("situation", CHECKED)
def test_check(runs: dict[str, Pipeline], situation: str) -> None:
    """`check` ends with the same code and says the same, and creates no topic."""
    assert_says_the_same(runs[f"check {situation}"], runs[situation])
