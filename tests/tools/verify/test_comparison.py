"""The comparison of an output partition with its input partition, by tables, without Kafka."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

import pytest

from tools.verify.comparison import Comparison
from tools.verify.findings import COUNTS, FAULTS, Findings
from tools.verify.gap import Record

COUNT = 300
FAR = 60


def record(number: int, value: bytes | None = None) -> Record:
    """One record of its own, with a header on some."""
    headers = (("malformed", b"invalid_json"),) if number % 3 == 0 else None
    return Record(b"k%d" % (number % 7), value or b"value %d" % number, 1_000 + number, headers)


EXPECTED = [record(number) for number in range(COUNT)]


def compare(  # noqa: PLR0913  (each is a way in which the same records may come)
    outputs: Sequence[Record],
    inputs: Sequence[Record] = EXPECTED,
    *,
    step: int = 10_000,
    history: int = 500_000,
    cut: bool = False,
    skips_inputs: bool = False,
) -> Findings:
    """Feed both sides, `step` records at a time.

    Input offsets are 10 times the index, output offsets 7 times.
    """
    comparison = Comparison(history=history, cut=cut, skips_inputs=skips_inputs)
    for begin in range(0, max(len(inputs), len(outputs)), step):
        for take, side, stride in ((comparison.add_inputs, inputs, 10), (comparison.add_outputs, outputs, 7)):
            batch = side[begin : begin + step]
            take([stride * at for at in range(begin, begin + len(batch))], batch)
    comparison.end()
    return comparison.findings()


def counts(**kinds: int) -> dict[str, int]:
    """All counts, those not given being 0."""
    return {**dict.fromkeys(COUNTS, 0), **kinds}


class Fault(NamedTuple):
    """What is done to the output around a record, what that counts as, and which offsets it names."""

    outputs: list[Record]
    found: dict[str, int]
    examples: dict[str, list[int]]


def planted(at: int) -> Iterator[tuple[str, Fault]]:
    """Each kind of fault, at this index."""
    before, one, after = EXPECTED[:at], EXPECTED[at], EXPECTED[at + 1 :]
    yield "lost", Fault([*before, *after], {"lost": 1}, {"lost": [10 * at]})
    yield "duplicate", Fault([*before, one, one, *after], {"duplicated": 1}, {"duplicated": [7 * at + 7]})
    assert one.value is not None
    changes = {
        "byte changed": one._replace(value=one.value[:-1] + b"X"),
        "value gone": one._replace(value=None),
        "tag missing or forged": one._replace(headers=None if one.headers else (("malformed", b"too_large"),)),
        "header twice": one._replace(headers=(("a", b"1"), ("a", b"1"))),
        "key changed": one._replace(key=b"other"),
        "key gone": one._replace(key=None),
        "timestamp changed": one._replace(timestamp=1),
    }
    for name, changed in changes.items():
        yield name, Fault([*before, changed, *after], {"wrong": 1}, {"wrong": [7 * at]})
    for distance in (1, 2, 5, FAR):
        if at + distance < COUNT:
            two = [*before, EXPECTED[at + distance], *after]
            two[at + distance] = one
            yield (
                f"swapped with the one {distance} further",
                Fault(two, {"reordered": 2}, {"reordered": [10 * at, 10 * (at + distance)]}),
            )
            late = [*before, *after[:distance], one, *after[distance:]]
            found = {"reordered": 2 if distance == 1 else 1}
            offsets = [10 * at, 10 * at + 10] if distance == 1 else [10 * at]
            yield f"{distance} late", Fault(late, found, {"reordered": offsets})


PLACES = {"begin": 0, "second": 1, "middle": 150, "last but one": COUNT - 2, "end": COUNT - 1}
PLANTED = {f"{name}, {place}": fault for place, at in PLACES.items() for name, fault in planted(at)}


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("name", PLANTED)
def test_planted(name: str, step: int) -> None:
    """Each fault, at any place and with any batches, is counted once, as its kind, and its offset is listed."""
    fault = PLANTED[name]
    if name == "lost, end":
        fault = Fault(fault.outputs, {"pending": 1}, {})
    found = compare(fault.outputs, step=step)

    good = COUNT - sum(fault.found.values()) + fault.found.get("duplicated", 0)
    assert found.counts == counts(checked=good, **fault.found)
    assert found.examples == {kind: fault.examples.get(kind, []) for kind in FAULTS}
    assert found.ok is ("pending" in fault.found)


def doctored(random: Random, inputs: Sequence[Record], faults: int) -> tuple[list[Record], dict[str, int]]:
    """Outputs with several faults of any kind, in records far enough apart to be distinguished, and their counts."""
    outputs: list[Record] = list(inputs)
    found = dict.fromkeys(FAULTS, 0)
    places = sorted(random.sample(range(2, len(inputs) // 5 - 2), faults), reverse=True)
    for at in (5 * place for place in places):
        kind = random.choice(FAULTS)
        found[kind] += 2 if kind == "reordered" else 1
        if kind == "lost":
            del outputs[at]
        elif kind == "duplicated":
            outputs.insert(at + random.choice([1, 2, 3]), outputs[at])
        elif kind == "reordered":
            outputs[at : at + 2] = outputs[at + 1], outputs[at]
        else:
            outputs[at] = outputs[at]._replace(value=b"other %d" % at)
    return outputs, found


@pytest.mark.parametrize("faults", [2, 10, 50, 300])
@pytest.mark.parametrize("seed", range(5))
def test_mixed(seed: int, faults: int) -> None:
    """Many faults of all kinds, some five records from the next, are each counted as what they are."""
    inputs = [record(number) for number in range(2_000)]
    outputs, found = doctored(Random(seed), inputs, faults)
    counted = compare(outputs, inputs, step=1_000).counts
    assert {fault: counted[fault] for fault in FAULTS} == found
    assert counted["pending"] == counted["skipped"] == 0
    assert counted["checked"] == len(inputs) - found["lost"] - found["reordered"] - found["wrong"]
