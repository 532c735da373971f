"""Pipelines that have been idle for longer than the broker keeps their ids."""

import time
from pathlib import Path

import pytest

from tests.brokers import STEADY
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipeline, Pipelines
from tools.broker.embedded import Broker
from tools.waiting import wait_until

pytestmark = pytest.mark.long

PROPERTIES = {
    **STEADY,
    "transactional.id.expiration.ms": "500",  # seven days by default
    "transaction.remove.expired.transaction.cleanup.interval.ms": "100",
    "producer.id.expiration.ms": "500",  # a day by default
    "producer.id.expiration.check.interval.ms": "100",
}
IDLE = 1.0  # seconds
SETTINGS = {
    "exactly-once": {},
    "with an INSTANCE_ID": {"INSTANCE_ID": "one"},
    "at-least-once": {"PROCESSING_GUARANTEE": "at-least-once"},
}
EXPIRED = "with a new producer, as its transactional id has expired"


def test_expired(tmp_path: Path) -> None:
    """The pipeline goes on, with a new producer if it uses transactions, and writes each record once, in order."""
    with Broker(properties=PROPERTIES) as broker, Pipelines(broker.address, tmp_path) as pipelines:
        kafka = Kafka(broker.address)
        started: dict[str, tuple[str, str, Pipeline]] = {}
        for number, (name, settings) in enumerate(SETTINGS.items()):
            source, target = (kafka.create_topic(f"{end}-{number}") for end in ("in", "out"))
            started[name] = source, target, pipelines.start(source, target, **settings)
        sent: list[Record] = []

        def all_have_expired() -> bool:
            """Send more records than before, wait until they are written and committed, and be idle."""
            new = range(len(sent), 4 * len(sent) + 1)
            sent.extend(Record(value=b'{"device_type": "ios", "n": %d}' % number) for number in new)
            for source, _, _ in started.values():
                kafka.produce(source, sent[new.start :])
            for _, target, _ in started.values():
                assert kafka.read(target, len(sent)) == list(map(expected, sent))
            time.sleep(IDLE)
            return len(sent) > 1000 and all(
                EXPIRED in pipeline.log for name, (_, _, pipeline) in started.items() if name != "at-least-once"
            )

        wait_until(all_have_expired, "the expiry of each producer")
        for _, _, pipeline in started.values():
            assert pipeline.stop() == 0
            assert f"stopped: {len(sent)} in, {len(sent)} out" in pipeline.lines[-1]
        line = started["exactly-once"][2].wait_for(EXPIRED)
        replace = {r"the last \d+": "the last 1", r"after \d+ ms": "after 1 ms"}
        check_row("While running", "idle for longer than transactional.id.expiration.ms", None, line, replace)
