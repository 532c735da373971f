"""A new producer that waits for the transaction coordinator: no warning, unless it takes long."""

import time
from collections.abc import Iterator

import pytest

from runtime.limits import COORDINATOR_WAIT
from tests.kafka import TIMEOUT, Kafka
from tests.process import RUNNING, Pipelines
from tools.broker.embedded import Broker

pytestmark = pytest.mark.long

WAITS = "Failed to acquire transactional PID"
LOG, SETTING = "__transaction_state", "min.insync.replicas"


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    """A client of a broker of our own, with an input and an output topic."""
    with Broker() as broker:
        kafka = Kafka(broker.address)
        for name in ("in", "out"):
            kafka.create_topic(name)
        yield kafka


@pytest.mark.parametrize("is_long", [False, True])
def test_wait(kafka: Kafka, pipelines: Pipelines, *, is_long: bool) -> None:
    """While the coordinator cannot store a producer's id, that is logged at DEBUG; after ten seconds, as a warning."""
    kafka.alter_topic(LOG, SETTING, "2")  # of one broker: the coordinator refuses each new producer
    pipeline = pipelines.start("in", "out", LOG_LEVEL="DEBUG")
    pipeline.wait_for("DEBUG", WAITS)
    since = time.monotonic()
    if is_long:
        pipeline.wait_for("WARNING", WAITS)
        assert time.monotonic() - since > COORDINATOR_WAIT / 2
    kafka.alter_topic(LOG, SETTING, "1")
    pipeline.wait_for(RUNNING, timeout=2 * TIMEOUT)
    assert pipeline.stop() == 0
    assert any("WARNING" in line and WAITS in line for line in pipeline.lines) is is_long
