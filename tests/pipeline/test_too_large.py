"""Records that are too large for the output topic: the limit to the byte, the stub, and no room for the stub."""

import hashlib
import json
import random
from bisect import bisect_right
from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines, group_of
from tools.broker.protocol import RawRecord, batch_size

LIMIT = 2000
PLAIN = b'{"device_type": "ios", "x": "%b"}'
GROWING = '{{"device_type": "{}", "x": "%b"}}'


class Shape(NamedTuple):
    """A kind of record of any length: a filler replaces `%b` in its value or its key."""

    name: str
    record: Record

    def filled(self, length: int) -> Record:
        """The record with a filler of this length, which does not compress."""
        filler = random.Random(length).randbytes(length).hex().encode()[:length]
        value, key = self.record.value, self.record.key
        return replace(
            self.record, value=value and value.replace(b"%b", filler), key=key and key.replace(b"%b", filler)
        )


SHAPES = [
    Shape("alone", Record(None, PLAIN)),
    Shape("key", Record(b"k" * 300, PLAIN)),
    Shape("empty key", Record(b"", PLAIN)),
    Shape("headers", Record(b"k", PLAIN, [("name", b"v" * 200), ("null", None), ("", b""), ("\u26c4", b"\xff")])),
    Shape("many headers", Record(b"k", PLAIN, [(f"h{number}", b"%d" % number) for number in range(70)])),
    Shape("forged tag", Record(b"k", PLAIN, [("malformed", b"v" * 1000), ("a", b"1")])),
    Shape("tagged inside", Record(b"k", b'{"x": "%b"}')),
    Shape("tagged around", Record(b"k", b'"%b"', [("a", b"1")])),
    Shape("tagged in base64", Record(b"k", b"\xff%b")),
    Shape("three times as long in upper case", Record(b"k", GROWING.format("\u0390" * 100).encode())),
    Shape("tombstone", Record(b"%b", None)),
]
MUCH_TOO_LARGE = {
    "900 kilobytes": Record(b"k", b'{"device_type": "ios", "x": "%b"}' % (b"7" * 900_000)),
    "far too long in upper case": Record(b"k", '{{"device_type": "{}"}}'.format("\u03b0" * 600).encode()),
    "malformed and large": Record(b"k", b"[" * 5000, [("malformed", b"forged"), ("a", b"1")]),
    "only the forged tag is large": Record(b"k", b'{"device_type": "ios"}', [("malformed", b"v" * 3000)]),
}


def size(record: Record) -> int:
    """The size in bytes of an uncompressed batch with only this record."""
    headers = [(name.encode(), value) for name, value in record.headers]
    return batch_size(RawRecord(record.key, record.value, headers))


def largest(shape: Shape) -> int:
    """The longest filler that keeps the output of a record of this shape within the limit."""
    return bisect_right(range(LIMIT), LIMIT, key=lambda length: size(expected(shape.filled(length)))) - 1


FITTING = {shape.name: shape.filled(largest(shape)) for shape in SHAPES}
TOO_LARGE = {shape.name: shape.filled(largest(shape) + 1) for shape in SHAPES if shape.name != "tombstone"}
WHOLE = [*FITTING.values(), MUCH_TOO_LARGE["only the forged tag is large"]]
STUBS = [*TOO_LARGE.values(), *list(MUCH_TOO_LARGE.values())[:-1]]


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.name not in ("tagged in base64", "tombstone")])
def test_to_the_byte(shape: Shape) -> None:
    """The records that these tests send are at the limit to the byte, and one byte above it."""
    assert size(expected(FITTING[shape.name])) == LIMIT
    assert size(expected(TOO_LARGE[shape.name])) == LIMIT + 1


class Run(NamedTuple):
    """The records that a pipeline read and wrote."""

    source: str
    sent: list[Record]
    read: list[Record]


@pytest.fixture(scope="module")
def run(kafka: Kafka, shared_pipelines: Pipelines) -> Run:
    """The run of a pipeline whose output topic accepts batches of LIMIT bytes."""
    source = kafka.create_topic("any-size", config={"max.message.bytes": "3000000"})
    target = kafka.create_topic("small", config={"max.message.bytes": str(LIMIT)})
    sent = [replace(record, partition=0) for record in (*WHOLE, *STUBS)]
    kafka.produce(source, sent)
    pipeline = shared_pipelines.start(source, target)
    pipeline.wait_for(RUNNING)
    read = kafka.read(target, len(sent))
    assert pipeline.stop() == 0
    return Run(source, sent, read)


def test_each_once(run: Run) -> None:
    """Each record is written once, whole or as a stub."""
    assert len(run.read) == len(run.sent)


@pytest.mark.parametrize("number", range(len(WHOLE)), ids=[*FITTING, "forged tag removed"])
def test_fits(run: Run, number: int) -> None:
    """A record whose output has exactly the maximum size is written whole."""
    assert run.read[number] == expected(run.sent[number])


@pytest.mark.parametrize(
    "number", range(len(WHOLE), len(WHOLE) + len(STUBS)), ids=[*TOO_LARGE, *list(MUCH_TOO_LARGE)[:-1]]
)
def test_stub(run: Run, number: int) -> None:
    """A stub replaces a record that is one byte larger: same key, timestamp and headers, and the place of the input."""
    sent, read = run.sent[number], run.read[number]
    kept = [header for header in sent.headers if header[0] != "malformed"]
    assert replace(read, value=None) == replace(sent, value=None, headers=[*kept, ("malformed", b"too_large")])
    stub = json.loads(read.value or b"")
    content = sent.value or b""
    assert list(stub) == ["malformed"]
    detail = stub["malformed"].pop("detail")
    assert f"{LIMIT}" in detail
    assert stub["malformed"] == {
        "reason": "too_large",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "topic": run.source,
        "partition": 0,
        "offset": number,
    }


NO_ROOM = {
    "exactly-once": Record(b"k" * LIMIT, PLAIN),
    "at-least-once": Record(b"k", None, [("a", b"v" * LIMIT)]),
}


def test_no_room_for_the_stub(kafka: Kafka, pipelines: Pipelines) -> None:
    """If even the stub is too large, the pipeline exits with 70, names the offset and writes nothing after it."""
    fitting = [Record(b"k", b'{"device_type": "ios", "n": %d}' % number) for number in range(50)]
    started = []
    for guarantee, large in NO_ROOM.items():
        source = kafka.create_topic(f"no-room-{guarantee}")
        target = kafka.create_topic(f"no-room-{guarantee}-out", config={"max.message.bytes": str(LIMIT)})
        kafka.produce(source, [*fitting, large, *fitting])
        started.append((source, target, pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)))
    for source, target, pipeline in started:
        assert pipeline.wait() == 70, pipeline.log
        error = next(line for line in pipeline.lines if "ERROR" in line)
        assert f"the record {source}[0]@50 is too large" in error
        assert f"must be larger than {LIMIT}" in error
        assert "Traceback" not in pipeline.log
        assert kafka.committed(group_of(source), source).get(0, 0) <= 50
        read = kafka.read(target, 0)
        assert read == [expected(record) for record in fitting[: len(read)]]


def test_many_at_once(kafka: Kafka, pipelines: Pipelines) -> None:
    """A burst of records of any size never creates a batch that the topic refuses, however small its limit is."""
    started = []
    for limit, guarantee in ((600, "exactly-once"), (1500, "at-least-once"), (20_000, "exactly-once")):
        numbers = random.Random(limit)
        sizes = [numbers.choice((10, limit // 20, limit // 3, limit)) for _ in range(1000)]
        sent = [
            Record(b"k", b'{"device_type": "ios", "x": "%b"}' % numbers.randbytes(size // 2).hex().encode())
            for size in sizes
        ]
        source = kafka.create_topic(f"burst-{limit}")
        target = kafka.create_topic(f"burst-{limit}-out", config={"max.message.bytes": str(limit)})
        kafka.produce(source, sent)
        started.append((sent, target, limit, pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)))
    for sent, target, limit, pipeline in started:
        read = kafka.read(target, len(sent))
        assert pipeline.stop() == 0
        for before, after in zip(sent, read, strict=True):
            if size(expected(before)) <= limit:
                assert after == expected(before)
            else:
                assert after.headers == [("malformed", b"too_large")]
