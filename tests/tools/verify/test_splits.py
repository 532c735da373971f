"""The verdict on histories with many equal records, with any batches and visits. Tested without Kafka."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from tests.tools.verify.test_comparison import counts
from tools.verify.comparison import Comparison
from tools.verify.findings import Findings
from tools.verify.gap import Record

TOMBSTONE = (("malformed", b"null_value"),)
KINDS = [
    Record(None, None, None, TOMBSTONE),
    Record(b"k", None, None, TOMBSTONE),
    Record(b"k", b"a", None, None),
    Record(b"k", b"b", None, None),
]
SAME = KINDS[0]._replace(timestamp=1)

Steps = list[tuple[str, int]]
"""The next side, and the most records of it."""


class Visit(NamedTuple):
    """How far each side reaches when it is read, and in which steps it is."""

    inputs: int
    outputs: int
    steps: Steps


kinds = st.integers(1, len(KINDS)).flatmap(lambda count: st.sampled_from(KINDS[:count]))
runs = st.lists(st.tuples(kinds, st.sampled_from([1, 1, 2, 3, 9, 15])), min_size=1, max_size=12)
some_steps = st.lists(st.tuples(st.sampled_from(["input", "output"]), st.integers(1, 12)), max_size=30)


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Inputs, runs of equal ones, some to a millisecond."""
    records = [kind for kind, length in draw(runs) for _ in range(length)]
    each = draw(st.sampled_from([1, 2, 5, 20, 1_000]))
    return [one._replace(timestamp=1_000 + at // each) for at, one in enumerate(records)]


@st.composite
def followed(draw: st.DrawFn) -> tuple[list[Record], list[Visit]]:
    """Inputs, and visits, at each of which the output may be incomplete."""
    inputs = draw(histories())
    visits = [Visit(0, 0, [])]
    for end in [*sorted(draw(st.lists(st.integers(0, len(inputs)), max_size=3))), len(inputs)]:
        visits.append(Visit(end, draw(st.integers(visits[-1].outputs, end)), draw(some_steps)))
    return inputs, visits


@st.composite
def faulty(draw: st.DrawFn) -> tuple[list[Record], list[Record]]:
    """Inputs and outputs with one fault, which may make no difference among equal records."""
    inputs = draw(histories())
    outputs = inputs[: draw(st.integers(1, len(inputs)))]
    at, other = draw(st.tuples(*[st.integers(0, len(outputs) - 1)] * 2))
    fault = draw(st.sampled_from(["lost", "duplicated", "late", "swapped", "wrong"]))
    if fault == "lost":
        del outputs[at]
    elif fault == "duplicated":
        outputs.insert(max(at, other) + 1, outputs[at])
    elif fault == "late":
        outputs.insert(other, outputs.pop(at))
    elif fault == "swapped":
        outputs[at], outputs[other] = outputs[other], outputs[at]
    else:
        outputs[at] = outputs[at]._replace(value=b"c")
    return inputs, outputs


def feed(
    inputs: Sequence[Record],
    outputs: Sequence[Record],
    visits: Sequence[Visit],
    *,
    cut: bool = False,
    skips_inputs: bool = False,
) -> Findings:
    """Pass both sides to a comparison, as the walk does: it marks when all inputs of a visit have been read."""
    comparison = Comparison(cut=cut, skips_inputs=skips_inputs)
    input_at = output_at = 0
    for visit in visits:
        comparison.covered = input_at == visit.inputs
        for side, most in chain(visit.steps, [("input", len(inputs)), ("output", len(outputs))]):
            if side == "output":
                batch = range(output_at, min(output_at + most, visit.outputs))
                output_at += len(batch)
                comparison.add_outputs(batch, [outputs[at] for at in batch])
            elif input_at < visit.inputs:
                batch = range(input_at, min(input_at + most, visit.inputs))
                input_at += len(batch)
                comparison.add_inputs(batch, [inputs[at] for at in batch])
                comparison.covered = input_at == visit.inputs
    comparison.end()
    return comparison.findings()


@given(followed())
@example(([SAME] * 10, [Visit(10, 10, [("input", 4), ("output", 10)])]))
def test_right(history: tuple[list[Record], list[Visit]]) -> None:
    """An output that is right so far is called right, however few of its inputs are there at a time."""
    inputs, visits = history
    done = visits[-1].outputs
    assert feed(inputs, inputs, visits).counts == counts(checked=done, pending=len(inputs) - done)


@given(faulty(), st.tuples(some_steps, some_steps))
@example(([SAME] * 9, [SAME._replace(value=b"c"), *[SAME] * 8]), ([], []))
def test_fault(history: tuple[list[Record], list[Record]], steps: tuple[Steps, Steps]) -> None:
    """A lost, repeated, moved, swapped or changed record is a fault, unless the rest matches without it."""
    inputs, outputs = history
    right = outputs == inputs[: len(outputs)]
    verdicts = [feed(inputs, outputs, [Visit(len(inputs), len(outputs), each)]).ok for each in steps]
    assert verdicts == [right, right]


@given(histories(), st.integers(0, 99), some_steps)
@example([SAME] * 30 + [SAME._replace(timestamp=2)] * 3, 33, [])
def test_cut(history: list[Record], percent: int, steps: Steps) -> None:
    """If the first inputs are missing, their outputs are skipped, also those equal to the first remaining input."""
    begin = len(history) * percent // 100
    inputs = history[begin:]
    outputs = [one for one in history if (one.timestamp or 0) >= (inputs[0].timestamp or 0)]
    found = feed(inputs, outputs, [Visit(len(inputs), len(outputs), steps)], cut=True)
    assert found.counts == counts(checked=len(inputs), skipped=len(outputs) - len(inputs))


@given(histories(), st.integers(0, 99), some_steps)
@example([SAME] * 30 + [SAME._replace(timestamp=2)] * 3, 33, [])
def test_late(history: list[Record], percent: int, steps: Steps) -> None:
    """If the first outputs are missing, their inputs are skipped, also those equal to the first remaining output."""
    outputs = history[len(history) * percent // 100 :]
    found = feed(history, outputs, [Visit(len(history), len(outputs), steps)], skips_inputs=True)
    assert found.ok
    assert found.counts["checked"] == len(outputs)


@given(faulty(), st.integers(0, 99), st.tuples(some_steps, some_steps))
def test_late_fault(history: tuple[list[Record], list[Record]], percent: int, steps: tuple[Steps, Steps]) -> None:
    """A fault after the first remaining outputs is found, unless other inputs explain the outputs."""
    inputs, every = history
    outputs = every[len(every) * percent // 100 :]
    right = any(outputs == inputs[at : at + len(outputs)] for at in range(len(inputs)))
    visits = ([Visit(len(inputs), len(outputs), each)] for each in steps)
    assert [feed(inputs, outputs, visit, skips_inputs=True).ok for visit in visits] == [right, right]


def test_many_at_a_time() -> None:
    """Twenty equal tombstones in each millisecond, in batches of all sizes as they arrive, are right."""
    inputs = [SAME._replace(timestamp=1 + at // 20) for at in range(20_000)]
    steps = [(side, 1 + at * 37 % 911) for at, side in enumerate(["output", "input"] * 40)]
    found = feed(inputs, inputs, [Visit(len(inputs), len(inputs), steps)])
    assert found.counts == counts(checked=len(inputs))
