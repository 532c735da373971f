"""A produce quota: transactions become small enough for it, so each partition gains records and no worker ends."""

import random
from pathlib import Path

import pytest

from faults.broker_admin import set_produce_quota
from tests.brokers import STEADY
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipelines, group_of
from tools.broker.embedded import Broker
from tools.waiting import wait_until

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("run_limits.py")
PARTITIONS = 4
COUNT = 1_000
QUOTA = 50_000  # bytes per second; the first transaction has 200 kB
PROPERTIES = {**STEADY, "quota.window.num": "2"}  # of 1 s: a burst is throttled at once
LIMITS = "FLUSH_TIMEOUT=2"


def test_quota(tmp_path: Path) -> None:
    """A transaction that the broker does not take in time is retried with fewer records until it fits."""
    with Broker(properties=PROPERTIES) as broker, Pipelines(broker.address, tmp_path, SCRIPT) as pipelines:
        kafka = Kafka(broker.address)
        source, target = (kafka.create_topic(name, PARTITIONS) for name in ("in", "out"))
        seeded = random.Random(16)
        value = b'{"device_type": "ios", "n": %d, "x": "%b"}'
        sent = [
            Record(None, value % (number, seeded.randbytes(500).hex().encode()), partition=number % PARTITIONS)
            for number in range(COUNT)
        ]
        kafka.produce(source, sent)
        set_produce_quota(kafka.address, QUOTA)
        pipeline = pipelines.start(source, target, LIMITS=LIMITS)
        pipeline.wait_for("; retrying the last ", " at a time")
        group = group_of(source)
        wait_until(lambda: len(kafka.committed(group, source)) == PARTITIONS, "commits under the quota", 2 * TIMEOUT)
        set_produce_quota(kafka.address, None)
        wanted = sorted(map(expected, sent), key=lambda record: record.partition)
        assert kafka.read(target, COUNT) == wanted
        assert pipeline.stop() == 0
        assert f"stopped: {COUNT} in, {COUNT} out" in pipeline.lines[-1]
