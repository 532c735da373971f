"""The load's records are the same every time, and their output is checked correctly."""

from collections import Counter
from typing import NamedTuple

import pytest

from faults.hostile import LIMIT, hostile, judge
from faults.records import TRACED, Sent, is_right, number_of, record
from runtime.connect.topic_facts import TopicFacts
from runtime.loop.output_record import TIME_OF_PRODUCING, Output
from runtime.observe.counters import Totals
from transforms import Malformed, upper_device_type

MANY = 20_000


def mapped(sent: Sent) -> tuple[bytes | None, bytes | None]:
    """What the pipeline makes of a record: value and tag."""
    result = upper_device_type(sent.value)
    return (result.value, str(result.reason).encode()) if isinstance(result, Malformed) else (result, None)


def test_share() -> None:
    """About 2.5 % are malformed, in every way. Some have no key, and all have their number."""
    sent = [record(7, 3, number) for number in range(MANY)]
    reasons = Counter(each.reason for each in sent)
    assert 0.02 < 1 - reasons[None] / MANY < 0.03
    assert len(reasons) == 9
    assert sum(each.key is None for each in sent) > MANY / 30
    assert [number_of(3, each.key, each.value) for each in sent] == list(range(MANY))
    assert (
        sent[:100] == [record(7, 3, number) for number in range(100)] != [record(8, 3, number) for number in range(100)]
    )


def test_right() -> None:
    """The transform's output of each record is right, and nothing else is."""
    for number in range(MANY):
        sent = record(7, 0, number)
        value, tag = mapped(sent)
        assert is_right(sent, sent.key, value, tag)
        assert not is_right(sent, b"other", value, tag)
        assert not is_right(sent, sent.key, value, b"null_value" if tag != b"null_value" else None)
        assert not is_right(sent, sent.key, b"x", tag)


class CurrentRecord(NamedTuple):
    """The input record, as confluent-kafka's Message gives it."""

    sent: Sent

    def topic(self) -> str:
        """Any."""
        return "in"

    def partition(self) -> int:
        """As its key says."""
        return int((self.sent.key or b"").split(b":")[0])

    def offset(self) -> int:
        """As its key says."""
        return int((self.sent.key or b"").split(b":")[1])

    def value(self) -> bytes | None:
        """As it was sent."""
        return self.sent.value


def produced(sent: Sent, limit: int) -> tuple[bytes | None, bytes | None]:
    """What the pipeline produces for a record if the output topic has this limit: value and tag."""
    record = CurrentRecord(sent)
    headers: list[tuple[str, bytes | None]] = [("trace", b"0")] if record.offset() % TRACED == 0 else []
    output = Output(TopicFacts("out", 1, {"max.message.bytes": f"{limit}"}), Totals())
    value, _, tagged, _ = output.build(upper_device_type(sent.value), sent.key, TIME_OF_PRODUCING, headers, record)
    return value, dict(tagged).get("malformed")


@pytest.mark.parametrize("partition", [0, 1])
def test_sizes(partition: int) -> None:
    """What does not fit is right only as a stub, what fits only without one: to the byte, for logins."""
    stubs, wrong = 0, {-1: 0, 1: 0}
    for number in range(1100 + 300 * partition):
        sent = hostile(7, partition, number)
        value, tag = produced(sent, LIMIT)
        stubs += tag == b"too_large"
        assert judge(sent, value, tag), number
        for off in wrong:
            other = produced(sent, LIMIT + off)
            wrong[off] += other[1] != tag and not judge(sent, *other)
    assert 0 < stubs < 1100
    if partition == 0:
        assert all(wrong.values()), wrong


@pytest.mark.parametrize("partition", [0, 1])
def test_hostile(partition: int) -> None:
    """The transform's output of each hostile value is right by the oracle, and another value or tag is not."""
    tags: Counter[bytes | None] = Counter()
    for number in range(1100 * (1 - partition), 1100 * (1 - partition) + 3000):
        sent = hostile(7, partition, number)
        if len(sent.value or b"") > LIMIT / 2:
            continue  # too large for the topic, which the map does not know
        value, tag = mapped(sent)
        tags[tag] += 1
        assert judge(sent, value, tag), sent
        assert not judge(sent, b"x", tag)
        assert value is None or not any(judge(sent, other, tag) for other in (value + b" ", b" " + value, value[:-1]))
        assert not judge(sent, value, b"not_an_object" if tag != b"not_an_object" else None)
    assert len(tags) >= 8
