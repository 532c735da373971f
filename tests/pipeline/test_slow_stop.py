"""A stop that takes too long, at-least-once: the line says whether brokers answer, and what was waited for."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from faults.broker_admin import set_produce_quota
from tests.brokers import STEADY
from tests.errors_page import check_row
from tests.grants import DESCRIBE, MINIMAL
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.test_metrics import scrape
from tests.pipeline.test_replicas import count_brokers
from tests.pipeline.test_revoked import change_password
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tests.secured import login, secured_broker
from tools.broker.cluster import GROUPS, Cluster
from tools.broker.embedded import Broker
from tools.broker.ports import free_port
from tools.waiting import wait_until

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("run_limits.py")
LIMITS = "STOP_TIMEOUT=40 STOP_CAUSE_TIMEOUT=35 CAUSE_TIMEOUT=10"
"""The brokers are asked early, and have time for their answers."""
RANDOM = random.Random(1)
"""Compresses to no less than half."""
BACKLOG = [
    Record(None, b'{"device_type": "ios", "x": "%b"}' % RANDOM.randbytes(400).hex().encode()) for _ in range(2000)
]
QUEUED = 60_000
"""Bytes of the records that the broker has not accepted when the signal arrives."""
BATCH = "max.message.bytes", "20000"
SLOW = 500.0
"""Bytes per second: less than a batch in the time of LIMITS."""


@pytest.mark.parametrize(
    ("situation", "make"),
    [
        ("asked to stop while no broker answers", Broker.pause),
        ("asked to stop while the broker accepts records slowly", lambda _: None),
    ],
)
def test_stop(tmp_path: Path, situation: str, make: Callable[[Broker], None]) -> None:
    """The line says that no broker answers only if none does."""
    with (
        Broker(properties=STEADY) as broker,
        Pipelines(broker.address, tmp_path, SCRIPT) as pipelines,
    ):
        kafka = Kafka(broker.address)
        for name in ("in", "out"):
            kafka.create_topic(name)
        pipeline = started(pipelines, kafka)
        make(broker)
        check_stop(pipeline, situation, 69)


def test_refused(tmp_path: Path) -> None:
    """If the password was changed, the stop ends after 10 s, and the line says that the broker refuses it."""
    with (
        secured_broker(tmp_path, {"user": [*DESCRIBE, *MINIMAL.values()]}) as secured,
        Pipelines("", tmp_path, SCRIPT) as pipelines,
    ):
        settings = secured.settings("SCRAM") | login("user")
        pipeline = started(pipelines, secured.kafka, **settings, Quix__Consumer_Group=group_of("user"))
        change_password(AdminClient({"bootstrap.servers": secured.kafka.address}), "user")
        check_stop(pipeline, "asked to stop while the broker is slow, and refuses the credentials", 77)


def test_replicas(tmp_path: Path) -> None:
    """If a partition refuses records, the line names it."""
    with Cluster(3, {"log.retention.ms": "-1"}) as cluster, Pipelines(cluster.address, tmp_path, SCRIPT) as pipelines:
        victim = next(node for node in cluster.nodes if node is not cluster.leader(GROUPS))
        others = [number for number, node in enumerate(cluster.nodes, 1) if node is not victim]
        replicas = [[*others, cluster.nodes.index(victim) + 1]]
        topics = [
            NewTopic("in", 1, replica_assignment=[others]),
            NewTopic("out", 1, replica_assignment=replicas, config={"min.insync.replicas": "3"}),
        ]
        admin = AdminClient({"bootstrap.servers": cluster.address})
        for answer in admin.create_topics(topics).values():
            answer.result(TIMEOUT)
        pipeline = pipelines.start("in", "out", LIMITS=LIMITS, **at_least_once(port := free_port()))
        kafka = Kafka(cluster.address)
        kafka.produce("in", BACKLOG[:1])
        kafka.read("out", 1)
        victim.kill()
        wait_until(lambda: count_brokers(admin) == 2, "the end of the broker's session")
        Kafka(cluster.address).produce("in", BACKLOG)
        wait_for_queue(port)
        check_stop(pipeline, "asked to stop while too few replicas of the output topic are in sync", 69)


def at_least_once(port: int) -> dict[str, object]:
    """The settings. The port is for metrics."""
    return {"PROCESSING_GUARANTEE": "at-least-once", "HTTP_PORT": port}


def started(pipelines: Pipelines, kafka: Kafka, **settings: str) -> Pipeline:
    """A pipeline that waits until a slow broker accepts what it has produced."""
    kafka.alter_topic("out", *BATCH)
    kafka.produce("in", BACKLOG)
    set_produce_quota(kafka.address, SLOW)
    pipeline = pipelines.start("in", "out", LIMITS=LIMITS, **settings, **at_least_once(port := free_port()))
    pipeline.wait_for(RUNNING)
    wait_for_queue(port)
    return pipeline


def wait_for_queue(port: int) -> None:
    """Wait until the producer holds enough records."""
    wait_until(lambda: scrape(port).get("producer_queue_bytes", 0) > QUEUED, "a queue")


def check_stop(pipeline: Pipeline, situation: str, exit_code: int) -> None:
    """Ask it to stop, and fail unless it ends with this exit code and the line of docs/errors.md."""
    pipeline.send(signal.SIGTERM)
    assert pipeline.wait(2 * TIMEOUT) == exit_code, pipeline.log
    replace = {"after 40 s": "after 55 s", r"[12] of its 3": "2 of its 3", r": sasl_ssl.*; ended": ": …; ended"}
    check_row("While running", situation, exit_code, pipeline.lines[-1], replace)
