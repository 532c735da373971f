"""The comparison of topics with different numbers of partitions, by tables, without Kafka."""

import pytest

from tests.pipeline.test_partitions import murmur2
from tests.tools.test_verify_comparison import counts
from tools.verify.findings import total
from tools.verify.gap import Record
from tools.verify.keys import KeyedComparison, target_of

PARTITIONS = 5
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
    comparison = KeyedComparison(PARTITIONS)
    for is_output in (outputs_first, not outputs_first):
        if is_output:
            for number, one in outputs.items():
                comparison.add_outputs(number, range(len(one)), one)
        else:
            for number in range(2):
                comparison.add_inputs(number, range(240), inputs[240 * number : 240 * number + 240])
    counted = total(comparison.findings())
    missing = sum(found.values()) - found.get("duplicated", 0) - found.get("skipped", 0)
    assert counted == counts(checked=len(INPUTS) - missing, **found)


@pytest.mark.parametrize("key", KEYS)
def test_target(key: bytes) -> None:
    """A key's partition is that of Kafka's own hash."""
    assert target_of(key, PARTITIONS) == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
