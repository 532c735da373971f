"""A start just after a broker died, while the cluster still counts it: requests go to the brokers that are left."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka import TIMEOUT
from tests.process import RUNNING, Pipeline, Pipelines
from tools.broker.cluster import GROUPS, TRANSACTIONS, Cluster

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

SESSION = {"broker.session.timeout.ms": "9000"}
"""Kafka's default. For this time, its metadata may name the dead broker as the controller."""

STARTS = 4
"""So many that hardly ever all of them are given a live controller at once."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Pipeline]]:
    """Pipelines, and as many times `check`, started right after a broker was killed that coordinates nothing."""
    with Cluster(3, SESSION) as cluster, Pipelines(cluster.address, tmp_path_factory.mktemp("starts")) as pipelines:
        admin = AdminClient({"bootstrap.servers": cluster.address})
        for answer in admin.create_topics([NewTopic(topic, 1, 3) for topic in ("in", "out")]).values():
            answer.result(TIMEOUT)
        coordinators = {cluster.leader(topic) for topic in (GROUPS, TRANSACTIONS)}
        next(node for node in cluster.nodes if node not in coordinators).kill()
        yield [
            pipelines.start("in", "out", *command, Quix__Consumer_Group=f"group-{number}")
            for number in range(STARTS)
            for command in ([], ["check"])
        ]


def test_run(started: list[Pipeline]) -> None:
    """The pipeline starts."""
    for pipeline in started[::2]:
        pipeline.wait_for(RUNNING)


def test_check(started: list[Pipeline]) -> None:
    """`check` warns of the dead broker and of nothing else; it ends with 0, as the pipeline starts."""
    for check in started[1::2]:
        assert check.wait(2 * TIMEOUT) == 0, check.log
        (warning,) = (line for line in check.lines if not line.startswith("ok "))
        assert warning.startswith("warning broker ")
        assert "sends clients to" in warning
