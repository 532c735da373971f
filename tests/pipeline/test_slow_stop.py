"""A stop that takes too long, at-least-once: exit code 69, and a line that says whether brokers answer."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.broker_admin import set_produce_quota
from tests.errors_page import check_row
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.test_metrics import scrape
from tests.process import RUNNING, Pipelines
from tools.broker.embedded import Broker
from tools.broker.ports import free_port
from tools.waiting import wait_until

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("run_limits.py")
LIMITS = "STOP_TIMEOUT=20"
RANDOM = random.Random(1)
"""Compresses to no less than half."""
BACKLOG = [
    Record(None, b'{"device_type": "ios", "x": "%b"}' % RANDOM.randbytes(400).hex().encode()) for _ in range(2000)
]
QUEUED = 60_000
"""Bytes of the records that the broker has not accepted when the signal arrives."""
BATCH = {"max.message.bytes": "20000"}
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
        Broker(properties={"log.retention.ms": "-1"}) as broker,
        Pipelines(broker.address, tmp_path, SCRIPT) as pipelines,
    ):
        kafka = Kafka(broker.address)
        source, target = kafka.create_topic("in"), kafka.create_topic("out", config=BATCH)
        kafka.produce(source, BACKLOG)
        set_produce_quota(broker.address, SLOW)
        settings = {"PROCESSING_GUARANTEE": "at-least-once", "HTTP_PORT": (port := free_port())}
        pipeline = pipelines.start(source, target, LIMITS=LIMITS, **settings)
        pipeline.wait_for(RUNNING)
        wait_until(lambda: scrape(port).get("producer_queue_bytes", 0) > QUEUED, "a queue")
        make(broker)
        pipeline.send(signal.SIGTERM)
        assert pipeline.wait(2 * TIMEOUT) == 69, pipeline.log
        check_row("While running", situation, 69, pipeline.lines[-1], {"after 20 s": "after 55 s"})
