"""Reading some records of a partition, on a real Kafka."""

from collections.abc import Callable

import pytest

from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed
from runtime.settings import Settings
from tests.kafka import Kafka, Record
from tools.tail.records import TopicReader
from tools.verify.topics import Topics

KEPT = range(25, 30)
"""The offsets that retention has left."""


@pytest.fixture
def reader(kafka: Kafka, topics: Callable[..., str]) -> TopicReader:
    """A reader of a topic whose first records were deleted."""
    name = topics("out")
    kafka.produce(name, [Record(value=b"%d" % number) for number in range(KEPT.stop)])
    kafka.delete_records(name, KEPT.start)
    opened = Topics(Settings.model_validate({"Quix__Broker__Address": kafka.address}), 30.0, "")
    facts: TopicFacts
    (facts,) = opened.facts(name)
    return TopicReader(opened, facts)


def test_all(reader: TopicReader) -> None:
    """The records of the range are returned, and its end."""
    records, at = reader.some(0, KEPT.start, KEPT.stop, 1_000_000)
    assert ([record.offset for record in records], at) == (list(KEPT), KEPT.stop)
    assert [record.value for record in records] == [b"%d" % number for number in KEPT]


def test_size(reader: TopicReader) -> None:
    """It stops when it has enough, and the next offset is the one to read on from."""
    offsets, at = [], KEPT.start
    while at < KEPT.stop:
        records, at = reader.some(0, at, KEPT.stop, 1)
        assert at == records[-1].offset + 1
        offsets += [record.offset for record in records]
    assert offsets == list(KEPT)


def test_deleted(reader: TopicReader) -> None:
    """If the first records of the range are deleted meanwhile, it goes on after them, within the range."""
    assert reader.some(0, 3, KEPT.stop, 1_000_000) == ([], KEPT.start)
    assert reader.some(0, 3, 7, 1_000_000) == ([], 7)


def test_created_again(reader: TopicReader) -> None:
    """If the topic does not have the offset because it was created again, it says so."""
    with pytest.raises(Failed, match=r"out-\w+\[0\]@40 does not exist any more: the topic was deleted"):
        reader.some(0, 40, 50, 1_000_000)
