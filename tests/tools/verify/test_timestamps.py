"""Which outputs are right for records whose timestamp the output topic refuses. Tested without Kafka."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from runtime.loop.output_record import record_size
from runtime.settings import Settings
from tests.tools.verify import test_walk as test_verify_walk
from tests.tools.verify.test_walk import Held, InMemory, Partition, found
from tools.verify.gap import Record
from tools.verify.range import EVERYTHING, Begin
from tools.verify.walk import Walk
from transforms import refused_timestamp, too_large, upper_device_type

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
NOW = 1_700_000_000_000
"""When all is produced."""

LIMITS = {"message_timestamp_before_max_ms": 7 * DAY, "message_timestamp_after_max_ms": DAY}
OLD, EARLY = NOW - 8 * DAY, NOW + 2 * DAY
LOGIN = b'{"device_type":"ios"}'
LONG = b'{"device_type":"ios","x":"%s"}' % (b"x" * 700)
USUAL = [Record(b"k%d" % at, b'{"n":%d,"device_type":"IOS"}' % at, NOW - MINUTE + at, None) for at in range(400)]


def login(timestamp: int, value: bytes | None = LOGIN, key: bytes | None = b"k") -> Record:
    """An input."""
    return Record(key, value, timestamp, None)


def tagged(record: Record, reason: str, value: bytes | None, timestamp: int = NOW) -> Record:
    """An output with a tag."""
    return record._replace(value=value, timestamp=timestamp, headers=(("malformed", reason.encode()),))


def refused(record: Record, timestamp: int = NOW) -> Record:
    """What is produced for an input whose timestamp is refused."""
    made = refused_timestamp(upper_device_type(record.value), record.value, record.timestamp or 0)
    return tagged(record, made.reason, made.value, timestamp)


def stub(whole: Record, value: bytes) -> bytes | None:
    """The stub of an input at offset 200 of which this whole record was to be made."""
    size = record_size(whole.key, whole.value, list(whole.headers or ()))
    detail = f"the record would take {size} bytes, and the topic takes 850"
    return too_large(value, detail, topic="in", partition=0, offset=200).value


class Case(NamedTuple):
    """An input and its output."""

    record: Record
    output: Record


RIGHT = {
    "old": Case(login(OLD), refused(login(OLD))),
    "early": Case(login(EARLY), refused(login(EARLY))),
    "without a key": Case(login(OLD, key=None), refused(login(OLD, key=None))),
    "array": Case(login(OLD, b"[1]"), refused(login(OLD, b"[1]"))),
    "tombstone": Case(login(EARLY, None), refused(login(EARLY, None))),
    "within the margin": Case(login(NOW - 7 * DAY + 3 * MINUTE), refused(login(NOW - 7 * DAY + 3 * MINUTE))),
    "early within the margin": Case(login(NOW + DAY - 3 * MINUTE), refused(login(NOW + DAY - 3 * MINUTE))),
    "kept though old": Case(login(OLD), login(OLD, b'{"device_type":"IOS"}')),
    "time of producing": Case(login(0), login(NOW, b'{"device_type":"IOS"}')),
}
WRONG = {
    "not refused": Case(login(NOW - DAY), refused(login(NOW - DAY))),
    "not within the margin": Case(login(NOW + DAY - 5 * MINUTE), refused(login(NOW + DAY - 5 * MINUTE))),
    "malformed, not refused": Case(login(NOW - DAY, b"[1]"), refused(login(NOW - DAY, b"[1]"))),
    "without a tag": Case(login(OLD), login(NOW, b'{"device_type":"IOS"}')),
    "upper-cased": Case(login(OLD), refused(login(OLD, b'{"device_type":"IOS"}'))),
    "another timestamp's": Case(login(OLD), refused(login(OLD + 1))),
    "another reason": Case(login(OLD, b"[1]"), tagged(login(OLD), "invalid_json", b"[1]")),
    "time kept": Case(login(OLD), refused(login(OLD), OLD)),
    "another key": Case(login(OLD), refused(login(OLD, key=b"?"))),
    "0 as refused": Case(login(0), refused(login(0))),
}


def audited(
    inputs: Sequence[Record], outputs: Sequence[Record], limits: dict[str, int], begin: Begin = EVERYTHING
) -> tuple[dict[str, int], bool]:
    """The counts, and whether they are right."""
    source, target = (Partition(0, [InMemory(at, one) for at, one in enumerate(side)]) for side in (inputs, outputs))
    return found(Walk(Held([source], [target], **limits), Settings(), begin, lambda: False))


def around(record: Record) -> list[Record]:
    """The record among others, at offset 200."""
    return [*USUAL[:200], record, *USUAL[200:]]


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str) -> None:
    """An output with another timestamp is right if the topic may have refused its input's."""
    case = RIGHT[name]
    assert audited(around(case.record), around(case.output), LIMITS) == ({"checked": 401}, True)


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    """Any other change of a timestamp is wrong, and so is a tag that is not the input's own."""
    case = WRONG[name]
    assert audited(around(case.record), around(case.output), LIMITS) == ({"checked": 400, "wrong": 1}, False)


@pytest.mark.parametrize("limits", [{}, {"message_timestamp_before_max_ms": 2**63 - 1}])
def test_no_limits(limits: dict[str, int]) -> None:
    """A topic without limits refuses no timestamp."""
    case = RIGHT["old"]
    assert audited(around(case.record), around(case.output), limits) == ({"checked": 400, "wrong": 1}, False)


@pytest.mark.parametrize("timestamp", [OLD, EARLY])
@pytest.mark.parametrize("value", [LONG, LONG + b"?", b"%s " % LONG * 2])
def test_too_large(value: bytes, timestamp: int) -> None:
    """A stub replaces a record that is too large, with or without the tag. Its timestamp may differ as well."""
    limits = {"max_message_bytes": 850, **LIMITS}
    record = login(timestamp, value)
    output = tagged(record, "too_large", stub(refused(record), value))
    assert audited(around(record), around(output), limits) == ({"checked": 401}, True)
    record = login(NOW - DAY, value)
    output = tagged(record, "too_large", stub(refused(record), value))
    assert audited(around(record), around(output), limits) == ({"checked": 400, "wrong": 1}, False)


def mixed(count: int, share: int) -> tuple[list[Record], list[Record]]:
    """Inputs, some of six refused and every other one malformed, and their outputs."""
    values = [b'{"n":%d,"device_type":"IOS"}' % at if at % 2 else b"[%d]" % at for at in range(count)]
    inputs = [login(OLD + at if at % 6 < share else NOW - at, values[at], b"%d" % (at % 5)) for at in range(count)]
    kept = [one if at % 2 else refused(one, one.timestamp or 0) for at, one in enumerate(inputs)]
    return inputs, [refused(one, NOW + at) if at % 6 < share else kept[at] for at, one in enumerate(inputs)]


@pytest.mark.parametrize("share", [1, 4, 6])
@pytest.mark.parametrize("count", [60, 12_000])
def test_many(monkeypatch: pytest.MonkeyPatch, count: int, share: int) -> None:
    """Of many records, faults are found as they are among those whose timestamps are kept."""
    monkeypatch.setattr(test_verify_walk, "BATCH", 10 if count == 60 else 10_000)
    inputs, outputs = mixed(count, share)
    assert audited(inputs, outputs, LIMITS) == ({"checked": count}, True)
    lost = [*outputs[:30], *outputs[31:]]
    assert audited(inputs, lost, LIMITS) == ({"checked": count - 1, "lost": 1}, False)
    swapped = [*outputs[:30], outputs[31], outputs[30], *outputs[32:]]
    assert audited(inputs, swapped, LIMITS) == ({"checked": count - 2, "reordered": 2}, False)
    half = outputs[: count // 2]
    assert audited(inputs, half, LIMITS) == ({"checked": count // 2, "pending": count - count // 2}, True)


@pytest.mark.parametrize("refused_first", [30, 100])
def test_begin(refused_first: int) -> None:
    """Of the last records, the first or all may have been refused as too early: their outputs' times are unknown."""
    begin = len(USUAL) - 100
    inputs = [
        one._replace(timestamp=4_102_444_800_000 + at) if begin <= at < begin + refused_first else one
        for at, one in enumerate(USUAL)
    ]
    outputs = [one if one.timestamp == USUAL[at].timestamp else refused(one) for at, one in enumerate(inputs)]
    counts, ok = audited(inputs, outputs, LIMITS, Begin(last=100))
    assert ok
    assert counts["checked"] == 100
