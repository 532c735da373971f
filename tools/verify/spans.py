"""What was found of each input partition in each output partition, and what, so, is lost or can't be judged; pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.verify.waiting import Open


@dataclass(slots=True)
class _Span:
    """The first input that was found in an output partition, its time, the last one, and the first output of them."""

    first: int
    time: int | None
    last: int
    output: int


class Spans:
    """Knows that each input partition's records are in order in each output partition.

    Args:
        partitions: of the output topic.
        cut: the input partitions whose first records are left out or gone, and the time at which what is left begins.
        late: the output partitions that may lack the outputs of the first inputs.
    """

    def __init__(self, partitions: int, cut: Mapping[int, int], late: Iterable[int]) -> None:
        self._all, self._cut, self._late = range(partitions), cut, frozenset(late)
        self._spans: defaultdict[int, dict[int, _Span]] = defaultdict(dict)
        self._first_output: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._first_output)

    def add(self, one: Open, output: Open) -> None:
        """Note that the output of an input was found."""
        self._first_output[output.partition] = min(
            output.offset, self._first_output.get(output.partition, output.offset)
        )
        span = self._spans[one.partition].get(output.partition)
        last = -1 if _at(one, self._cut.get(one.partition)) else one.offset  # its output may be another's
        if span is None:
            self._spans[one.partition][output.partition] = _Span(one.offset, one.time, last, output.offset)
            return
        if one.offset < span.first:
            span.first, span.time = one.offset, one.time
        span.last = max(span.last, last)
        span.output = min(span.output, output.offset)

    def is_passed(self, one: Open) -> bool:
        """Whether the output of a later input of the same partition was found where this one's should be."""
        spans = self._spans[one.partition]
        if one.target is not None:
            return one.target in spans and one.offset < spans[one.target].last
        return bool(spans) and one.offset < min(span.last for span in spans.values())

    def lacks_output(self, one: Open) -> bool:
        """Whether an input's output may be gone, or never have been made: the first that was found is a later one."""
        places = self._late.intersection(self._all if one.target is None else [one.target])
        spans = [self._spans[one.partition].get(place) for place in places]
        return any(span is None or one.offset < span.first or _at(one, span.time) for span in spans)

    def lacks_input(self, output: Open) -> bool:
        """Whether an output's input may be gone, or never have been there: the first that was found is a later one."""
        is_first = output.offset < self._first_output.get(output.partition, output.offset + 1)
        return is_first or self.is_of_gone(output)

    def is_of_gone(self, output: Open) -> bool:
        """Whether an output may be of those inputs that are left out or gone."""
        for partition, begin in self._cut.items():
            span = self._spans[partition].get(output.partition)
            is_before = output.offset < span.output if span else output.time is None or output.time < begin
            if is_before or _at(output, begin):
                return True
        return False

    def is_at_border(self, one: Open, output: Open) -> bool:
        """Whether an input that was found may have been taken for an equal one that is gone, or whose output is."""
        is_late = output.partition in self._late and _at(one, self._spans[one.partition][output.partition].time)
        return is_late or _at(one, self._cut.get(one.partition))

    def repeats_gone(self, output: Open) -> bool:
        """Whether an output that equals one found before may be that of a second, equal input, which is gone.

        With a key, they were in one input partition, and so at the time at which what is left of it begins.
        """
        is_older = output.key is None and (output.time is None or output.time < max(self._cut.values(), default=0))
        return bool(self._cut) and (is_older or any(_at(output, begin) for begin in self._cut.values()))


def _at(one: Open, time: int | None) -> bool:
    """Whether it is of this time; where one that is there begins with it, equal ones may be gone."""
    return bool(one.time) and one.time == time
