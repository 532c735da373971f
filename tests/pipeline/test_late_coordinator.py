"""A start before the group has a coordinator: a new broker takes some seconds to create the coordinators' topic."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.connect.coordinators import GROUPS
from tests.brokers import NO_GROUPS, IncompleteBroker
from tests.kafka import TIMEOUT, Kafka
from tests.process import RUNNING, Pipelines

pytestmark = pytest.mark.long


def test_start(tmp_path: Path) -> None:
    """`run` and `check` wait until there is a coordinator; librdkafka itself asks for it during 0.5 s only."""
    with IncompleteBroker(properties=NO_GROUPS) as broker, Pipelines(broker.address, tmp_path) as pipelines:
        kafka = Kafka(broker.address)
        for topic in ("in", "out"):
            kafka.create_topic(topic)
        pipeline, check = (pipelines.start("in", "out", command) for command in ("run", "check"))
        pipeline.wait_for("for a coordinator of the consumer group")
        check.wait_for("ok      transactions: ")
        topic = NewTopic(GROUPS.topic, 1, 1, config={"cleanup.policy": "compact"})
        admin = AdminClient({"bootstrap.servers": broker.address})
        admin.create_topics([topic])[GROUPS.topic].result(TIMEOUT)
        pipeline.wait_for(RUNNING)
        assert check.wait() == 0, check.log
        assert pipeline.stop() == 0
