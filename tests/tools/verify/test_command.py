"""`python pipeline.py verify` on a real Kafka: its verdict on right and on faulty outputs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from runtime.settings import Settings
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.expected import expected
from tools.verify.command import Options, audit
from tools.verify.findings import COUNTS, FAULTS
from tools.verify.range import EVERYTHING, Begin
from tools.waiting import wait_until

COUNT = 40
SENT = [
    Record(
        b"k%d" % (n % 3), b'{"n": %d, "device_type": "ios"}' % n if n % 5 else b"[%d]" % n, [], 1_700_000_000_000 + n
    )
    for n in range(COUNT)
]
"""Every fifth is malformed."""

RIGHT = list(map(expected, SENT))


@pytest.fixture
def topic(kafka: Kafka, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes lasting topics of this test's own."""
    return lambda name, partitions=1, **config: kafka.create_topic(
        f"{name}-{abs(hash(request.node.name))}", partitions, config
    )


def totals(**counts: int) -> dict[str, int]:
    """All counts, those not given being 0."""
    return {**dict.fromkeys(COUNTS, 0), **counts}


def put(records: Sequence[Record], at: int, **changes: Any) -> list[Record]:
    """The records, one of them changed."""
    return [*records[:at], replace(records[at], **changes), *records[at + 1 :]]


PLANTED = {
    "right": (RIGHT, {}),
    "lost": ([*RIGHT[:7], *RIGHT[8:]], {"lost": [7]}),
    "duplicate": ([*RIGHT[:8], *RIGHT[7:]], {"duplicated": [8]}),
    "two swapped": ([*RIGHT[:7], RIGHT[8], RIGHT[7], *RIGHT[9:]], {"reordered": [7, 8]}),
    "one byte": (put(RIGHT, 7, value=b'{"n": 7, "device_type": "I0S"}'), {"wrong": [7]}),
    "tag missing": (put(RIGHT, 5, headers=[]), {"wrong": [5]}),
    "key changed": (put(RIGHT, 7, key=None), {"wrong": [7]}),
    "timestamp changed": (put(RIGHT, 7, timestamp=1_700_000_000_000), {"wrong": [7]}),
    "all at once": (
        [RIGHT[1], *RIGHT[1:4], RIGHT[5], RIGHT[4], *put(RIGHT, 20, value=b"x")[6:30], *RIGHT[31:]],
        {"lost": [0, 30], "duplicated": [1], "reordered": [4, 5], "wrong": [20]},
    ),
}


def audited(kafka: Kafka, source: str, target: str, begin: Begin = EVERYTHING, **settings: object) -> dict[str, Any]:
    """The report of a comparison in this process."""
    own = {"Quix__Broker__Address": kafka.address, "input": source, "output": target, **settings}
    report: dict[str, Any] = json.loads(audit(Settings.model_validate(own), Options(begin)).as_json())
    assert report["final"]
    return report


def found_in(report: dict[str, Any]) -> dict[str, list[int]]:
    """The offsets that a report on one partition names."""
    (partition,) = report["partitions"]
    found = {kind: offsets for kind, offsets in partition["examples"].items() if offsets}
    assert {kind: len(offsets) for kind, offsets in found.items()} == {k: partition[k] for k in FAULTS if partition[k]}
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_planted(kafka: Kafka, topic: Callable[..., str], name: str) -> None:
    """Each planted fault is found, named by its offset, and nothing else is."""
    source, target = topic("in"), topic("out")
    outputs, planted = PLANTED[name]
    kafka.produce(source, SENT)
    kafka.produce(target, outputs)

    report = audited(kafka, source, target)
    assert found_in(report) == planted
    assert report["ok"] is (not planted)
    assert report["total"]["pending"] == report["total"]["skipped"] == 0


EARLIER = [Record(b"k1", b"of another pipeline %d" % n, [], 1_600_000_000_000 + n) for n in range(3)]
BEGINS = {
    "earlier records in the output": (0, EARLIER, EVERYTHING, {"checked": 40, "skipped": 3}),
    "the input's first records are gone": (15, [], EVERYTHING, {"checked": 25}),
    "gone, and earlier records": (15, EARLIER, EVERYTHING, {"checked": 25}),
    "the last": (0, [], Begin(last=10), {"checked": 10}),
    "more than there are": (0, EARLIER, Begin(last=1000), {"checked": 40, "skipped": 3}),
    "from a timestamp": (0, [], Begin(timestamp=1_700_000_000_030), {"checked": 10}),
    "from a timestamp to come": (0, [], Begin(timestamp=1_800_000_000_000), {}),
}


@pytest.mark.parametrize("name", BEGINS)
def test_begin(kafka: Kafka, topic: Callable[..., str], name: str) -> None:
    """It begins at the given place, or at the first remaining input, and skips what comes before.

    It is not right if there is nothing to compare.
    """
    gone, earlier, begin, counts = BEGINS[name]
    source, target = topic("in"), topic("out")
    kafka.produce(source, SENT)
    kafka.produce(target, [*earlier, *RIGHT])
    delete_before(kafka, source, gone)

    report = audited(kafka, source, target, begin)
    assert report["ok"] is bool(counts)
    assert report["total"] == totals(**counts)


def test_fault_after_retention(kafka: Kafka, topic: Callable[..., str]) -> None:
    """A fault after the first remaining input is found, but one before it cannot be."""
    source, target = topic("in"), topic("out")
    kafka.produce(source, SENT)
    kafka.produce(target, [*RIGHT[:5], *RIGHT[6:20], *RIGHT[21:]])
    delete_before(kafka, source, 15)

    assert found_in(audited(kafka, source, target)) == {"lost": [20]}


def test_cannot_align(kafka: Kafka, topic: Callable[..., str]) -> None:
    """If the input's first records are missing and no output belongs to the rest, it cannot align."""
    source, target = topic("in"), topic("out")
    kafka.produce(source, SENT)
    kafka.produce(target, [replace(record, value=b"?") for record in RIGHT])
    delete_before(kafka, source, 15)

    report = audited(kafka, source, target)
    assert not report["ok"]
    assert report["partitions"][0]["cannot_align"]


KEYS = {number: b"k%d" % (number % 3 if number % 4 else number) for number in range(COUNT)}
KEYED = [replace(record, key=KEYS[record.offset]) for record in (replace(r, offset=n) for n, r in enumerate(SENT))]
"""Of every fourth, the key is its own. The others have three keys."""


def test_compacted_input(kafka: Kafka, topic: Callable[..., str]) -> None:
    """Outputs of inputs that compaction has removed are left aside. A fault in any other is found."""
    compact = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.001"}
    source = topic("in", **compact)
    roll = Record(b"rolls", b"[]", [], SENT[-1].timestamp + 10_000)  # the last segment is never compacted
    kafka.produce(source, KEYED)
    kafka.produce(source, [roll])
    right = list(map(expected, [*KEYED, roll]))
    last = {key: number for number, key in KEYS.items()}
    left = wait_until(lambda: _compacted_to(kafka, source, len(last) + 1), "the input is compacted", 2 * TIMEOUT)
    assert [record.offset for record in left] == [*sorted(last.values()), COUNT]

    gone = COUNT + 1 - len(left)
    for name, outputs, counts in (
        ("right", right, {"skipped": gone}),
        ("lost", [*right[:8], *right[9:]], {"skipped": gone, "lost": 1}),
        ("wrong", put(right, 8, value=b"?"), {"skipped": gone, "wrong": 1}),
    ):
        target = topic(f"out-{name}")
        kafka.produce(target, outputs)
        report = audited(kafka, source, target)
        assert report["total"] == totals(checked=len(left) - (name != "right"), **counts)
        assert report["ok"] is (name == "right")


def _compacted_to(kafka: Kafka, source: str, count: int) -> list[Record]:
    left = kafka.read(source, 0)
    return left if len(left) <= count else []


def test_output_behind(kafka: Kafka, topic: Callable[..., str]) -> None:
    """Records that are not processed yet are pending, even if they are all, and that is no error."""
    source, target = topic("in"), topic("out")
    kafka.produce(source, SENT)
    kafka.produce(target, RIGHT[:25])

    for begin, checked in ((EVERYTHING, 25), (Begin(last=10), 0), (Begin(last=20), 5)):
        report = audited(kafka, source, target, begin)
        assert report["ok"]
        assert report["total"] == totals(checked=checked, pending=40 - 25 if checked else 10)


def test_transactions(kafka: Kafka, topic: Callable[..., str]) -> None:
    """Aborted transactions, and the markers that end them, take offsets in both topics and count for nothing."""
    source, target = topic("in"), topic("out")
    for name, records in ((source, SENT), (target, RIGHT)):
        in_transactions(kafka, name, records)

    report = audited(kafka, source, target)
    assert report["total"] == totals(checked=COUNT)


def delete_before(kafka: Kafka, name: str, offset: int) -> None:
    """Delete a partition's first records, as retention does."""
    admin = AdminClient({"bootstrap.servers": kafka.address})
    for deleted in admin.delete_records([TopicPartition(name, 0, offset)]).values():
        deleted.result(TIMEOUT)


def in_transactions(kafka: Kafka, name: str, records: Sequence[Record]) -> None:
    """Write records, seven to a transaction, with an aborted one before each."""
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": name})
    producer.init_transactions(TIMEOUT)
    for begin in range(0, len(records), 7):
        for end in (producer.abort_transaction, producer.commit_transaction):
            producer.begin_transaction()
            for record in records[begin : begin + 7]:
                arguments = (name, record.value, record.key, 0, None, None, record.timestamp, record.headers)
                producer.produce(*arguments)
            producer.flush(TIMEOUT)
            end(TIMEOUT)


def test_input_unread(kafka: Kafka, topic: Callable[..., str]) -> None:
    """With `latest`, what was there before the pipeline began is left aside. With `earliest` it is lost."""
    source, target = topic("in"), topic("out")
    kafka.produce(source, SENT)
    kafka.produce(target, RIGHT[10:])

    latest = audited(kafka, source, target, AUTO_OFFSET_RESET="latest")
    assert latest["total"] == totals(checked=30, skipped=10)
    assert audited(kafka, source, target)["total"] == totals(checked=30, lost=10)
