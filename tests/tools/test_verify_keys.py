"""The comparison of topics with different numbers of partitions, by tables, without Kafka."""

import tracemalloc

import pytest

from tests.pipeline.test_partitions import murmur2
from tests.tools.test_verify_comparison import counts
from tools.verify import keys
from tools.verify.findings import total
from tools.verify.gap import Record
from tools.verify.keys import KeyedComparison, target_of
from tools.verify.waiting import Open, Waiting

SOURCES, PARTITIONS = 2, 5
KEYS = [b"", b"0", b"12345678", b"\xff\x00\x80", *(b"key-%d" % number for number in range(20))]
INPUTS = [Record(KEYS[at % len(KEYS)], b"%d" % at, 1_000 + at, None) for at in range(480)]


def outputs_of(inputs: list[Record]) -> dict[int, list[Record]]:
    """The output's partitions."""
    found: dict[int, list[Record]] = {number: [] for number in range(PARTITIONS)}
    for one in inputs:
        found[target_of(one.key or b"", PARTITIONS)].append(one)
    return found


def plant(fault: str, outputs: dict[int, list[Record]]) -> None:
    """Doctor the output."""
    records = outputs[2]
    if fault == "lost":
        del records[20]
    elif fault == "duplicate":
        records.insert(20, records[19])
    elif fault == "swapped":
        other = next(at for at in range(21, len(records)) if records[at].key == records[20].key)
        records[20], records[other] = records[other], records[20]
    elif fault == "wrong":
        records[20] = records[20]._replace(value=b"?")
    elif fault == "elsewhere":
        outputs[3].append(records.pop(20))
    elif fault == "last":
        records.pop()
    elif fault == "earlier":
        records.insert(0, Record(b"?", b"of another pipeline", 1, None))


@pytest.mark.parametrize("outputs_first", [True, False])
@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("none", {}),
        ("lost", {"lost": 1}),
        ("duplicate", {"duplicated": 1}),
        ("swapped", {"reordered": 1}),
        ("wrong", {"wrong": 1}),
        ("elsewhere", {"wrong": 1}),
        ("last", {"pending": 1}),
        ("earlier", {"skipped": 1}),
        ("null key", {}),
    ],
)
def test_fault(fault: str, found: dict[str, int], *, outputs_first: bool) -> None:
    """Each fault counts as what it is, whichever side is read first."""
    inputs = list(INPUTS)
    if fault == "null key":
        inputs = [one._replace(key=None) if at % 3 == 0 else one for at, one in enumerate(inputs)]
    outputs = outputs_of(inputs)
    plant(fault, outputs)
    comparison = KeyedComparison(SOURCES, PARTITIONS)
    for is_output in (outputs_first, not outputs_first):
        if is_output:
            for number, one in outputs.items():
                comparison.add_outputs(number, range(len(one)), one)
        else:
            for number in range(SOURCES):
                comparison.add_inputs(number, range(240), inputs[240 * number : 240 * number + 240])
    counted = total(comparison.findings())
    missing = sum(found.values()) - found.get("duplicated", 0) - found.get("skipped", 0)
    assert counted == counts(checked=len(INPUTS) - missing, **found)


def test_memory() -> None:
    """A record that waits takes less than 400 bytes, whatever its length and on whichever side."""
    count = 20_000
    comparison = KeyedComparison(SOURCES, PARTITIONS)
    tracemalloc.start()
    for begin in range(0, count, 1_000):
        numbers = range(begin, begin + 1_000)
        for side, add in (b"in", comparison.add_inputs), (b"out", comparison.add_outputs):
            add(0, numbers, [Record(b"%d" % at, side * 1_000, 1_700_000_000_000 + at, None) for at in numbers])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert comparison.waiting == (count, count)
    assert taken < 400 * 2 * count


def test_waiting() -> None:
    """Of equal records that wait, the first goes first; the oldest are the first that came."""
    waiting = Waiting()
    ones = [Open(0, offset, None, None, None, None) for offset in range(6)]
    for digest, one in zip([7, 8, 7, 7, 9], ones, strict=False):
        waiting.add(digest, one)
    assert [waiting.pop(7), waiting.pop(7)] == [ones[0], ones[2]]
    waiting.add(7, ones[5])
    assert (waiting.count, len(list(waiting))) == (4, 4)
    assert waiting.oldest(2) == [(7, ones[3]), (8, ones[1])]
    assert [waiting.pop(digest) for digest in (7, 7, 8, 9)] == [ones[5], None, None, ones[4]]
    assert (waiting.count, list(waiting)) == (0, [])


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond OPEN outputs that wait, the oldest are given up and counted as what they are."""
    monkeypatch.setattr(keys, "OPEN", 10)
    comparison = KeyedComparison(SOURCES, PARTITIONS)
    foreign = [Record(b"?", b"%d" % at, 1, None) for at in range(25)]
    comparison.add_outputs(0, range(25), foreign)
    assert comparison.waiting == (0, 10)
    assert total(comparison.findings()) == counts(skipped=25)


@pytest.mark.parametrize("key", KEYS)
def test_target(key: bytes) -> None:
    """A key's partition is that of Kafka's own hash."""
    assert target_of(key, PARTITIONS) == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
