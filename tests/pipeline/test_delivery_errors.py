"""The output topic refuses a record: the pipeline stops, and loses nothing."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.altered import alter_topic
from tests.pipeline.expected import expected
from tests.pipeline.lasting import lasting_topic
from tests.process import RUNNING, Pipelines, group_of

HOUR = 3_600_000
USUAL = [Record(b"k", b'{"device_type": "ios", "n": %d}' % number) for number in range(20)]
BEHIND = {"exactly-once": 200 * USUAL, "at-least-once": USUAL}
"""What comes behind the refused record. With many, the refusal comes while their batch is still being produced; where
there is no transaction, some of them would be written already, and then again."""


class Refusal(NamedTuple):
    """A record, the setting that makes the output topic refuse it and another that does not, and how it ends."""

    record: Record
    setting: str
    refusing: str
    lenient: str
    exit_code: int
    said: str


REFUSALS = {
    "too-large": Refusal(
        Record(b"k", b'{"device_type": "ios", "x": "%b"}' % random.Random(1).randbytes(1000).hex().encode()),
        *("max.message.bytes", "500", "1000000", 70, "max.message.bytes was larger at start"),
    ),
    "too-late": Refusal(
        Record(b"k", b'{"device_type": "ios"}', timestamp=int(time.time() * 1000) + 5 * HOUR),
        *("message.timestamp.after.max.ms", f"{HOUR}", f"{10 * HOUR}", 78, "message.timestamp.after.max.ms"),
    ),
}


@pytest.fixture
def pipelines(kafka: Kafka, tmp_path: Path) -> Iterator[Pipelines]:
    """Starts pipelines on the session's broker."""
    with Pipelines(kafka.address, tmp_path) as pipelines:
        yield pipelines


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_refused(kafka: Kafka, pipelines: Pipelines, guarantee: str) -> None:
    """A refused record stops it, uncommitted; once the topic takes it, the next start writes it and the rest."""
    started = {}
    for name in REFUSALS:
        config = {"message.timestamp.after.max.ms": f"{10 * HOUR}"}
        source, target = (lasting_topic(kafka, f"{name}-{guarantee}-{end}", config=config) for end in ("in", "out"))
        kafka.produce(source, USUAL)
        started[name] = source, target, pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
    for name, (source, target, pipeline) in started.items():
        refusal = REFUSALS[name]
        pipeline.wait_for(RUNNING)
        kafka.read(target, len(USUAL))
        alter_topic(kafka.address, target, refusal.setting, refusal.refusing)
        kafka.produce(source, [*USUAL, refusal.record, *BEHIND[guarantee]])
    for name, (source, target, pipeline) in started.items():
        refusal, sent = REFUSALS[name], [*USUAL, *USUAL, REFUSALS[name].record, *BEHIND[guarantee]]
        assert pipeline.wait() == refusal.exit_code, pipeline.log
        errors = [line for line in pipeline.lines if "ERROR" in line]
        assert len(errors) == 1, pipeline.log
        assert refusal.said in errors[0]
        assert "Traceback" not in pipeline.log
        done = kafka.committed(group_of(source), source)[0]
        assert len(USUAL) <= done <= 2 * len(USUAL)

        alter_topic(kafka.address, target, refusal.setting, refusal.lenient)
        before = kafka.read(target, done)
        again = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
        read = kafka.read(target, len(before) + len(sent) - done)
        assert again.stop() == 0
        wanted = [expected(record) for record in sent]
        assert read == wanted[: len(before)] + wanted[done:]
        if guarantee == "exactly-once":
            assert len(before) == done
