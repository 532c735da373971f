"""Blocks of records at fault, records that are all equal, and inputs that no longer exist. Tested without Kafka."""

from typing import NamedTuple

import pytest

from tests.tools.verify.test_comparison import compare, counts, record
from tools.verify.comparison import Comparison
from tools.verify.gap import WINDOW, Record, out_of_order

MANY = [record(number) for number in range(36_000)]
FOREIGN = [Record(b"?", b"foreign %d" % number, 10 * number, None) for number in range(30_000)]
SAME = Record(b"k", b"same", 1, None)


class Block(NamedTuple):
    """Inputs, outputs, and what they count as."""

    inputs: list[Record]
    outputs: list[Record]
    found: dict[str, int]


BLOCKS = {
    "12,000 repeated": Block(MANY, MANY[:24_000] + MANY[12_000:], {"checked": 36_000, "duplicated": 12_000}),
    "repeated at the end": Block(MANY, MANY + MANY[-12_000:], {"checked": 36_000, "duplicated": 12_000}),
    "each twice": Block(
        MANY[:5_000], [one for one in MANY[:5_000] for _ in "12"], {"checked": 5_000, "duplicated": 5_000}
    ),
    "5,000 lost": Block(MANY, MANY[:10_000] + MANY[15_000:], {"checked": 31_000, "lost": 5_000}),
    "24,000 lost": Block(MANY, MANY[:6_000] + MANY[30_000:], {"checked": 12_000, "lost": 24_000}),
    "all lost but the last": Block(MANY, MANY[:5_990] + MANY[-10:], {"checked": 6_000, "lost": 30_000}),
    "every other lost": Block(MANY[:6_001], MANY[:6_001:2], {"checked": 3_001, "lost": 3_000}),
    "all wrong": Block(MANY, [one._replace(value=b"?") for one in MANY], {"wrong": 36_000}),
    "every other wrong": Block(
        MANY[:6_000],
        [one._replace(value=b"?") if at % 2 else one for at, one in enumerate(MANY[:6_000])],
        {"checked": 3_000, "wrong": 3_000},
    ),
    "foreign ones": Block(MANY, MANY[:10_000] + FOREIGN[:3_000] + MANY[10_000:], {"checked": 36_000, "wrong": 3_000}),
    "earlier ones": Block(MANY, FOREIGN + MANY, {"checked": 36_000, "skipped": 30_000}),
    "nothing yet": Block(MANY, [], {"pending": 36_000}),
    "all equal": Block([SAME] * 100, [SAME] * 100, {"checked": 100}),
    "one of equal ones lost": Block([*MANY[:9], *[SAME] * 50, *MANY[9:20]], [*MANY[:9], *[SAME] * 49, *MANY[9:20]],
                                    {"checked": 69, "lost": 1}),
    "one of equal ones too many": Block([*MANY[:9], *[SAME] * 50, *MANY[9:20]], [*MANY[:9], *[SAME] * 51, *MANY[9:20]],
                                        {"checked": 70, "duplicated": 1}),
    "one of equal ones wrong": Block([SAME] * 50, [SAME, SAME._replace(value=b"?"), *[SAME] * 48],
                                     {"checked": 49, "wrong": 1, "pending": 1}),
}  # fmt: skip


@pytest.mark.parametrize("step", [1_000, 10_000])
@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str, step: int) -> None:
    """A block of faults is counted record by record, even if it is longer than the window."""
    block = BLOCKS[name]
    assert compare(block.outputs, block.inputs, step=step).counts == counts(**block.found)


def test_time_of_producing() -> None:
    """An input's timestamp of 0 matches any other, but nothing else of the record may differ."""
    inputs = [one._replace(timestamp=0) if at % 3 == 0 else one for at, one in enumerate(MANY[:100])]
    outputs = [one._replace(timestamp=5_000_000) if at % 3 == 0 else one for at, one in enumerate(MANY[:100])]
    assert compare(outputs, inputs).counts == counts(checked=100)
    outputs[30] = outputs[30]._replace(value=b"?")
    del outputs[60]
    assert compare(outputs, inputs).counts == counts(checked=98, lost=1, wrong=1)


def test_input_gone() -> None:
    """If the input's first records are missing, their outputs are skipped, and the rest is compared."""
    assert compare(MANY, MANY[24_000:], cut=True).counts == counts(checked=12_000, skipped=24_000)
    outputs = [*MANY[:30_000], *MANY[30_001:]]
    assert compare(outputs, MANY[24_000:], cut=True).counts == counts(checked=11_999, skipped=24_000, lost=1)


def test_output_gone() -> None:
    """If the output's first records are missing, or were never written, their inputs are skipped."""
    found = compare(MANY[24_000:], MANY, skips_inputs=True)
    assert found.counts == counts(checked=12_000, skipped=24_000)


def test_last_wrong() -> None:
    """If the output's first records are missing, a wrong last one is wrong, and not skipped."""
    found = compare([*MANY[100:105], FOREIGN[0]], MANY[:106], skips_inputs=True)
    assert found.counts["wrong"] == 1
    assert found.counts["checked"] == 5


def test_cannot_align() -> None:
    """If no output belongs to a remaining input, it cannot align, unless all of them are older."""
    late = [one._replace(timestamp=(one.timestamp or 0) + 1_000_000) for one in MANY[:100]]
    assert compare([one._replace(value=b"?") for one in late], late, cut=True).cannot_align
    for earlier in MANY[:100], [*MANY[:99], MANY[99]._replace(timestamp=late[0].timestamp)]:
        waiting = compare(earlier, late, cut=True)
        assert waiting.ok
        assert waiting.counts == counts(pending=100, skipped=100)


def test_compacted() -> None:
    """With a compacted input, an output may have no input only if an input's offset is missing."""
    kept = [number for number in range(3_000) if number % 10 in {0, 1, 5}]
    comparison = Comparison(compacted=True)
    comparison.add_inputs(kept, [MANY[number] for number in kept])
    outputs = [*MANY[:1_005], MANY[1_005]._replace(value=b"?"), *MANY[1_006:3_000]]
    comparison.add_outputs(range(3_000), outputs)
    comparison.end()
    found = comparison.findings()
    assert found.counts["checked"] == len(kept) - 1
    assert found.counts["wrong"] + found.counts["lost"] >= 1
    assert not found.ok


def test_compacted_begin() -> None:
    """With a compacted input, the first output may have no input though the next one is alike."""
    comparison = Comparison(compacted=True)
    comparison.add_inputs(range(1, 10), [SAME] * 9)
    comparison.add_outputs(range(10), [SAME._replace(value=b"earlier"), *[SAME] * 9])
    comparison.end()
    assert comparison.findings().counts == counts(checked=9, skipped=1)


def test_compacted_all_at_once() -> None:
    """Of a compacted input of which nothing is found before the end, the outputs without an input are skipped."""
    comparison = Comparison(compacted=True)
    comparison.add_inputs([2, 6, 9], [MANY[2], MANY[6], MANY[9]])
    comparison.add_outputs(range(10), MANY[:10])
    comparison.end()
    assert comparison.findings().counts == counts(checked=3, skipped=7)


def test_bounded() -> None:
    """However different the sides are, no more than some windows' worth of records wait."""
    comparison = Comparison()
    most = 0
    for begin in range(0, len(FOREIGN), 1_000):
        offsets = range(begin, begin + 1_000)
        comparison.add_inputs(offsets, MANY[begin : begin + 1_000])
        comparison.add_outputs(offsets, FOREIGN[begin : begin + 1_000])
        most = max(most, *comparison.waiting)
    assert most <= 3 * WINDOW


@pytest.mark.parametrize(
    ("order", "moved"),
    [
        ([], set()),
        ([0, 1, 2], set()),
        ([1, 0], {0, 1}),
        ([3, 1, 2, 0], {0, 3}),
        ([1, 2, 3, 0], {3}),
        ([3, 0, 1, 2], {0}),
        ([1, 0, 3, 2], {0, 1, 2, 3}),
        ([20, 10, 30], {0, 1}),
    ],
)
def test_out_of_order(order: list[int], moved: set[int]) -> None:
    """Two that have changed places are both out of order. Otherwise it is the fewest that would have to move."""
    assert out_of_order(order) == moved
