"""The dead-letter topic has the original of each malformed record once, and the output has the tagged record."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from runtime.loop.dead_letters import NAMES
from tests.kafka import Kafka, Record
from tests.pipeline.cases import CASES, NOW
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines
from tools.waiting import wait_until
from transforms import Malformed, chain, upper_device_type

PARTITIONS = 2
FORGED: list[tuple[str, bytes | None]] = [(name, b"forged") for name in sorted(NAMES)]
_transform = chain(upper_device_type)


def dead_letter(record: Record, topic: str) -> Record | None:
    """The dead letter that the contract requires for an input record, or None if the record is well-formed."""
    result = _transform(record.value)
    if not isinstance(result, Malformed):
        return None
    headers = [
        *(header for header in record.headers if header[0] not in NAMES),
        ("malformed", result.reason.encode()),
        ("malformed.detail", result.detail.encode()),
        ("__streams.errors.topic", topic.encode()),
        ("__streams.errors.partition", b"%d" % record.partition),
        ("__streams.errors.offset", b"%d" % record.offset),
        ("__streams.errors.message", f"{result.reason}: {result.detail}".encode()),
    ]
    return replace(record, headers=headers)


def dead_letters(sent: list[Record], topic: str) -> list[Record]:
    """The dead letters of these records, which have their offsets."""
    return [letter for record in sent if (letter := dead_letter(record, topic))]


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_each_reason(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, guarantee: str) -> None:
    """Each malformed record's original is there once, on its partition, in order, with the reason and its place."""
    source, target, dead = (topics(end, PARTITIONS) for end in ("in", "out", "dead"))
    headers = [("a", b"1"), *FORGED, ("b", None)]
    cases = [replace(case.record, partition=number, headers=headers) for number in range(PARTITIONS) for case in CASES]
    kafka.produce(source, cases)
    sent = kafka.read(source, len(cases))
    wanted = dead_letters(sent, source)
    pipeline = pipelines.start(source, target, dead_letter=dead, PROCESSING_GUARANTEE=guarantee)
    pipeline.wait_for(RUNNING)

    assert kafka.read(target, len(sent)) == [expected(record) for record in sent]
    assert kafka.read(dead, len(wanted)) == wanted
    assert len({dict(letter.headers)["malformed"] for letter in wanted}) == 8
    assert pipeline.stop() == 0
    assert len(kafka.read(dead, len(wanted))) == len(wanted)


def test_made_topic(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A dead-letter topic that the pipeline creates has the input's partitions, and room for the headers."""
    source = topics("in", PARTITIONS, {"max.message.bytes": "20000"})
    target, dead = f"{source}-out", f"{source}-dead"
    pipeline = pipelines.start(source, target, dead_letter=dead, AUTO_CREATE_TOPICS="true")
    pipeline.wait_for(RUNNING)
    assert len(kafka.partitions(dead)) == PARTITIONS
    value = b"[" + b"7" * 19_900  # nearly what the input takes: there is no room for a tag in the output
    kafka.produce(source, [Record(b"k", value, partition=1)])
    (letter,), (output,) = kafka.read(dead, 1), kafka.read(target, 1)
    assert (letter.partition, letter.key, letter.value) == (1, b"k", value)
    assert dict(output.headers)["malformed"] == dict(letter.headers)["malformed"] == b"too_large"


def test_stub(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """An original that the dead-letter topic does not take is replaced by a stub, or has the time of producing."""
    source, target = (topics(end) for end in ("in", "out"))
    limits = {"max.message.bytes": "4096", "message.timestamp.before.max.ms": "3600000"}
    dead = topics("dead", config=limits)
    old = NOW - 86_400_000
    kafka.produce(
        source,
        [
            Record(b"large value", b"[" * 5_000, timestamp=NOW),
            Record(b"large key" * 1_000, b"[", [("a", b"1" * 9_000)], timestamp=NOW),
            Record(b"old", b"[", timestamp=old),
        ],
    )
    pipeline = pipelines.start(source, target, dead_letter=dead)
    value, key, aged = kafka.read(dead, 3)
    for stub in (value, key):
        assert dict(stub.headers)["malformed"] == b"too_large"
        assert stub.value is not None
        assert stub.value.startswith(b'{"malformed":{"reason":"too_large"')
        assert stub.timestamp == NOW
    assert (value.key, key.key) == (b"large value", None)
    assert (aged.key, aged.value, dict(aged.headers)["malformed"]) == (b"old", b"[", b"invalid_json")
    assert aged.timestamp > NOW - 3_600_000
    assert [dict(record.headers)["malformed"] for record in kafka.read(target, 3)] == [b"invalid_json"] * 3
    assert pipeline.stop() == 0


def test_too_large_output(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """An original that only the output topic does not take is a whole dead letter, larger than the output's limit."""
    source, dead = (topics(end) for end in ("in", "dead"))
    target = topics("out", config={"max.message.bytes": "10000"})
    sent = [Record(b"k", b'{"device_type": "ios", "x": "%b"}' % (b"x" * size)) for size in (20, 500_000, 20)]
    kafka.produce(source, sent)
    pipeline = pipelines.start(source, target, dead_letter=dead)
    (letter,) = kafka.read(dead, 1)
    assert (letter.key, letter.value, letter.timestamp) == (b"k", sent[1].value, sent[1].timestamp)
    assert dict(letter.headers)["malformed"] == b"too_large"
    assert dict(letter.headers)["__streams.errors.offset"] == b"1"
    assert len(kafka.read(target, 3)) == 3
    assert pipeline.stop() == 0


@pytest.mark.long  # new partitions are found within 30 s
def test_new_partition(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """If the input gains a partition that the dead-letter topic lacks, the first dead letter there ends it with 78."""
    source, target, dead = (topics(end) for end in ("in", "out", "dead"))
    pipeline = pipelines.start(source, target, dead_letter=dead)
    pipeline.wait_for(RUNNING)
    for topic in (source, target):
        kafka.add_partitions(topic, 2)
    kafka.produce(source, [Record(value=b"[", partition=1)])
    assert pipeline.wait() == 78
    assert "dead-letter topic has too few partitions" in pipeline.lines[-1]
    assert kafka.read(target, 0) == []


def test_recreated(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A dead-letter topic that is deleted and created again ends the pipeline with 78, as the other topics do."""
    source, target, dead = (topics(end) for end in ("in", "out", "dead"))
    pipeline = pipelines.start(source, target, dead_letter=dead)
    pipeline.wait_for(RUNNING)
    kafka.delete_topic(dead)
    wait_until(lambda: not kafka.partitions(dead), "the deletion")
    assert pipeline.wait() == 78
    assert dead in pipeline.lines[-1]
