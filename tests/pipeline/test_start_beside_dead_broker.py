"""A start just after a broker died, while the cluster still counts it: requests go to the brokers that are left."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka import TIMEOUT
from tests.process import RUNNING, Pipeline, Pipelines
from tools.broker.cluster import GROUPS, TRANSACTIONS, Cluster

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

PROPERTIES = {"broker.session.timeout.ms": "600000", "replica.lag.time.max.ms": "9000"}
"""Until the session ends, the metadata may name the dead broker as the controller. It leaves the partitions earlier."""

STARTS = 4
"""So many that hardly ever all of them are given a live controller at once."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Pipeline]]:
    """Pipelines, and as many times `check`, started right after a broker was killed that coordinates nothing."""
    with Cluster(3, PROPERTIES) as cluster, Pipelines(cluster.address, tmp_path_factory.mktemp("starts")) as pipelines:
        coordinators = {cluster.leader(topic) for topic in (GROUPS, TRANSACTIONS)}
        victim = next(number for number, node in enumerate(cluster.nodes, 1) if node not in coordinators)
        replicas = [[*{1, 2, 3} - {victim}, victim]]  # it leads nothing
        admin = AdminClient({"bootstrap.servers": cluster.address})
        topics = [NewTopic(topic, 1, replica_assignment=replicas) for topic in ("in", "out")]
        for answer in admin.create_topics(topics).values():
            answer.result(TIMEOUT)
        cluster.nodes[victim - 1].kill()
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
    """`check` warns of the dead broker and of nothing else. It ends with 0, as the pipeline starts."""
    for check in started[1::2]:
        assert check.wait(2 * TIMEOUT) == 0, check.log
        (warning,) = (line for line in check.lines if not line.startswith("ok "))
        assert warning.startswith("warning broker ")
        assert "sends clients to" in warning
