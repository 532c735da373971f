"""The output topic's limit is lowered while the pipeline runs: the pipeline stops and loses nothing."""

import random
import re
from collections.abc import Callable

import pytest

from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines, group_of

SETTING = "max.message.bytes"
USUAL = [Record(b"k", b'{"device_type": "ios", "n": %d}' % number) for number in range(20)]
LARGE = Record(b"k", b'{"device_type": "ios", "x": "%b"}' % random.Random(1).randbytes(1000).hex().encode())
NOISE = random.Random(2).randbytes(1_000_000).hex().encode()
"""More than a segment of 1 MiB, the smallest one that Kafka permits, also compressed."""
FOLLOWING = {"exactly-once": 200 * USUAL, "at-least-once": USUAL}
"""The records after the refused one. With many, the refusal arrives while their batch is still being produced.
Without a transaction, some of them would be written twice."""


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_refused(kafka: Kafka, pipelines: Pipelines, guarantee: str) -> None:
    """A refused record stops the pipeline. Once the topic accepts it, the next start writes it and the rest."""
    source, target = (kafka.create_topic(f"refused-{guarantee}-{end}") for end in ("in", "out"))
    kafka.produce(source, USUAL)
    pipeline = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
    pipeline.wait_for(RUNNING)
    kafka.read(target, len(USUAL))
    kafka.alter_topic(target, SETTING, "500")
    kafka.produce(source, [*USUAL, LARGE, *FOLLOWING[guarantee]])
    assert pipeline.wait() == 70, pipeline.log
    (error,) = (line for line in pipeline.lines if "ERROR" in line)
    check_row("While running", "max.message.bytes of the output is lowered", 70, error)
    assert "Traceback" not in pipeline.log
    done = kafka.committed(group_of(source), source)[0]
    assert len(USUAL) <= done <= 2 * len(USUAL)

    kafka.alter_topic(target, SETTING, "1000000")
    before = kafka.read(target, done)
    sent = [*USUAL, *USUAL, LARGE, *FOLLOWING[guarantee]]
    again = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
    read = kafka.read(target, len(before) + len(sent) - done)
    assert again.stop() == 0
    wanted = [expected(record) for record in sent]
    assert read == wanted[: len(before)] + wanted[done:]
    if guarantee == "exactly-once":
        assert len(before) == done
    assert counted(pipeline.lines)[1] == done < counted(pipeline.lines)[0]
    assert counted(again.lines) == (len(sent) - done, len(sent) - done)


def test_segment_too_small(kafka: Kafka, pipelines: Pipelines, topics: Callable[..., str]) -> None:
    """A topic whose segments are smaller than a record that it may take refuses it: a setting is wrong (78)."""
    larger = {SETTING: "3000000"}
    source = topics("small-segment-in", config=larger)
    target = topics("small-segment-out", config={**larger, "segment.bytes": f"{2**20}"})
    sender = Kafka(kafka.address, {"message.max.bytes": larger[SETTING]})
    sender.produce(source, [Record(value=b'{"device_type": "ios", "x": "%b"}' % NOISE)])
    pipeline = pipelines.start(source, target)
    assert pipeline.wait() == 78, pipeline.log
    assert "Traceback" not in pipeline.log
    situation = "segment.bytes of the output is less than a record"
    check_row("While running", situation, 78, pipeline.lines[-1])


def counted(lines: list[str]) -> tuple[int, int]:
    """The numbers of records in and out in the last line with totals."""
    (*_, found) = (found for line in lines if (found := re.search(r": (\d+) in, (\d+) out", line)))
    return int(found[1]), int(found[2])
