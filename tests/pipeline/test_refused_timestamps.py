"""Timestamps that the output topic refuses: the records are tagged and passed on, even if clocks differ."""

import time
from dataclasses import replace

import pytest

from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.pipeline.test_metrics import wait_for
from tests.process import RUNNING, Pipelines
from tools.broker.ports import free_port
from transforms import original

MINUTE, HOUR = 60_000, 3_600_000
NOW = int(time.time() * 1000)
LOGIN = b'{"device_type": "ios", "n": %d}'
LIMITS = {"message.timestamp.after.max.ms": f"{HOUR}", "message.timestamp.before.max.ms": f"{24 * HOUR}"}
ANY = f"{2**63 - 1}"
GUARANTEES = ["exactly-once", "at-least-once"]

TAKEN = [Record(b"k", LOGIN % number, timestamp=NOW + at) for number, at in enumerate((0, -23 * HOUR, 50 * MINUTE))]
REFUSED = [
    *(Record(b"k", LOGIN % at, [("a", b"1")], NOW + at * HOUR) for at in (2, -48, 10_000)),
    Record(None, b"{}", timestamp=NOW + 2 * HOUR),
    Record(b"k", None, timestamp=1),
    Record(b"k", b"\xff", [("malformed", b"forged")], NOW + 2 * HOUR),
]
MIXED = [record for pair in zip(2 * TAKEN, REFUSED, strict=True) for record in pair]


def assert_refused(sent: Record, read: Record, since: float) -> None:
    """Fail unless the record is tagged, contains its input, and has the time of producing."""
    wanted = expected(sent)
    tagged = dict(wanted.headers).get("malformed")
    headers = wanted.headers if tagged else [*wanted.headers, ("malformed", b"refused_timestamp")]
    assert replace(read, value=None, timestamp=0) == replace(sent, value=None, headers=headers, timestamp=0)
    assert original(read.value) == sent.value
    assert since * 1000 - 1 <= read.timestamp <= time.time() * 1000
    if not tagged:
        assert str(sent.timestamp).encode() in (read.value or b"")


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_refused(kafka: Kafka, pipelines: Pipelines, guarantee: str) -> None:
    """Records with refused timestamps are detected before sending, and keep their position and an earlier reason."""
    source = kafka.create_topic(f"limited-{guarantee}-in", config=dict.fromkeys(LIMITS, ANY))
    target = kafka.create_topic(f"limited-{guarantee}-out", config=LIMITS)
    kafka.produce(source, MIXED)
    since = time.time()
    pipeline = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
    pipeline.wait_for(RUNNING)
    read = kafka.read(target, len(MIXED))
    assert pipeline.stop() == 0
    assert len(read) == len(MIXED)
    for sent, found in zip(MIXED, read, strict=True):
        if sent in REFUSED:
            assert_refused(sent, found, since)
        else:
            assert found == expected(sent)
    assert "retrying the last" not in pipeline.log
    assert "12 in, 12 out, 6 malformed (refused_timestamp 3" in pipeline.lines[-1]


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_refused_unexpectedly(kafka: Kafka, pipelines: Pipelines, guarantee: str) -> None:
    """Records that the broker refuses unexpectedly are sent again with the tag, without an exit. Each counts once."""
    source = kafka.create_topic(f"lowered-{guarantee}-in")
    target = kafka.create_topic(f"lowered-{guarantee}-out", config=LIMITS)
    usual = [Record(b"k", LOGIN % number, timestamp=NOW) for number in range(20)]
    late = [replace(record, timestamp=NOW + (40 + number) * MINUTE) for number, record in enumerate(usual[:5])]
    kafka.produce(source, usual)
    port = free_port()
    pipeline = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee, HTTP_PORT=port)
    pipeline.wait_for(RUNNING)
    kafka.read(target, len(usual))
    kafka.alter_topic(target, "message.timestamp.after.max.ms", f"{20 * MINUTE}")
    since = time.time()
    sent = [*usual, *late, *usual, late[0], *usual]
    kafka.produce(source, sent)
    read = kafka.read(target, len(usual) + len(sent))[len(usual) :]
    counted = dict.fromkeys(("records_in_total", "records_out_total"), len(usual) + len(sent))
    metrics = wait_for(port, {**counted, "malformed_records_total refused_timestamp": 6})
    assert metrics["checkpoint_failures_total"] >= 1
    assert pipeline.stop() == 0
    pipeline.wait_for("WARNING", "retrying the last", "refused timestamps")
    if guarantee == "exactly-once":
        for before, after in zip(sent, read, strict=True):
            if before in late:
                assert_refused(before, after, since)
            else:
                assert after == expected(before)
    else:
        tagged = [original(record.value) for record in read if ("malformed", b"refused_timestamp") in record.headers]
        assert set(tagged) == {record.value for record in late}
        assert {record.value for record in read} >= {expected(record).value for record in usual}
    assert f": {len(usual) + len(sent)} in, {len(usual) + len(sent)} out, 6 malformed" in pipeline.lines[-1]
