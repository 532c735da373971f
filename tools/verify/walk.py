"""Reads both topics partition by partition and compares them, repeatedly while the pipeline runs."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from confluent_kafka import Message

from runtime.errors import Failed
from runtime.settings import Settings
from tools.verify.cases import HISTORY
from tools.verify.comparison import Comparison
from tools.verify.findings import Findings, total
from tools.verify.gap import WINDOW
from tools.verify.partition import PartitionState
from tools.verify.reader import PartitionReader
from tools.verify.records import Expectation
from tools.verify.retiming import Retiming
from tools.verify.topics import TopicPair

_LEAST_HISTORY = 10_000  # records of each partition, however many there are


class Begin(NamedTuple):
    """Where to begin in the input: at a timestamp in milliseconds, or a number of offsets before the end."""

    timestamp: int | None = None
    last: int | None = None


EVERYTHING = Begin()


class Walk:
    """The comparison of two topics; each output partition belongs to the input partition of the same number.

    Args:
        topics: the two.
        settings: the pipeline's.
        begin: where to begin in the input.
        must_stop: whether to end a step early; it may raise an error instead.
        expectation: what the output must contain; by default what the pipeline's transforms return.
    """

    def __init__(
        self,
        topics: TopicPair,
        settings: Settings,
        begin: Begin,
        must_stop: Callable[[], bool],
        expectation: Expectation | None = None,
    ) -> None:
        self._topics, self._begin, self._must_stop = topics, begin, must_stop
        self._expectation = expectation or Expectation(topics.source.name, topics.target)
        self._inputs, self._outputs = topics.reader(topics.source), topics.reader(topics.target)
        self._compacted = "compact" in topics.source.config.get("cleanup.policy", "")
        self._began_later = settings.auto_offset_reset == "latest"
        self._partitions: dict[int, PartitionState] = {}
        self._update_ends()

    @property
    def is_empty(self) -> bool:
        """Whether both topics are empty: they have no offset to read, or all of these were read and held no record."""
        has_records = self._begin != EVERYTHING or any(total(self.findings()).values())
        return all(one.is_empty for one in self._partitions.values()) or not has_records

    def size(self) -> int:
        """The present number of offsets to read."""
        found = self._partitions.values()
        return sum(one.input_end - one.begin + one.output_end - (one.output_at or 0) for one in found)

    def step(self, advance: Callable[[int], None], *, final: bool) -> bool:
        """Read both topics to their present ends; return whether there were new records.

        Args:
            advance: called with numbers of records that were read.
            final: whether to count the rest as well, as no record follows.

        Raises:
            PipelineError: no broker, or interrupted.
        """
        self._update_ends()
        news = [number for number, one in self._partitions.items() if final or one.has_news]
        for number in news:
            while not self._visit(number, self._partitions[number], advance, final=final):
                self._partitions[number] = self._after_deleted(number, self._partitions[number])
            if final:
                self._end(number, self._partitions[number], advance)
        return bool(news)

    def findings(self) -> dict[int, Findings]:
        """The result, by partition."""
        return {number: one.findings(everything=self._begin == EVERYTHING) for number, one in self._partitions.items()}

    def close(self) -> None:
        """Disconnect."""
        self._inputs.close()
        self._outputs.close()

    def _update_ends(self) -> None:
        """Update the partitions' ends: the output's first, so that each output's input is before the input's end.

        A partition that only the output has is included once it has records: they have no input.
        """
        source, target = self._topics.source, self._topics.target
        output_ends = self._topics.ends(target, range(self._topics.partitions(target)))
        input_ends = self._topics.ends(source, range(self._topics.partitions(source)))
        numbers = {*input_ends, *(number for number, end in output_ends.items() if end)}
        new = numbers - self._partitions.keys()
        begins = self._topics.begins(source, new & input_ends.keys())
        output_begins = self._topics.begins(target, new & output_ends.keys())
        self._history = max(_LEAST_HISTORY, HISTORY // len(numbers))
        for number in sorted(new):
            begin = self._first_input(number, begins[number], input_ends[number]) if number in begins else 0
            partition = self._new_partition(number, begin, begins.get(number, 0), output_begins.get(number, 0))
            partition.comparison.aligned = number not in input_ends
            self._partitions[number] = partition
        for number, partition in self._partitions.items():
            partition.input_end, partition.output_end = input_ends.get(number, 0), output_ends.get(number, 0)

    def _new_partition(self, number: int, begin: int, input_begin: int, output_begin: int) -> PartitionState:
        """A new partition, from this offset of the input."""
        comparison = Comparison(
            history=self._history,
            cut=begin > 0,
            skips_inputs=self._began_later or output_begin > 0,
            compacted=self._compacted,
            retiming=Retiming(partial(self._expectation.retimed, number), self._expectation.may_refuse),
        )
        return PartitionState(comparison, begin, begin, None if begin > 0 else output_begin, input_begin, output_begin)

    def _first_input(self, number: int, first: int, end: int) -> int:
        """The offset to begin at in an input partition from `first` to `end`."""
        if self._begin.last is not None:
            return max(first, end - self._begin.last)
        if self._begin.timestamp is not None:
            found = self._topics.from_time(self._topics.source, number, self._begin.timestamp)
            return end if found is None else found
        return first

    def _visit(self, number: int, partition: PartitionState, advance: Callable[[int], None], *, final: bool) -> bool:
        """Read one partition of both topics to its ends, each time the side with fewer waiting records.

        Returns False if the next record of a side was deleted before it was read.
        """
        inputs, outputs, comparison = self._inputs, self._outputs, partition.comparison
        inputs.begin(number, partition.input_at, partition.input_end)
        if partition.output_at is None:
            partition.output_at = self._first_output(number, partition, advance, final=final)
        outputs.begin(number, partition.output_at or 0, partition.output_end if partition.output_at is not None else 0)
        comparison.covered, comparison.ending = inputs.done, final
        while not outputs.done or (not inputs.done and _wants_input(comparison)):
            if inputs.deleted or outputs.deleted or (self._must_stop() and not final):
                break
            waiting_in, waiting_out = comparison.waiting
            if not inputs.done and (outputs.done or waiting_in <= waiting_out):
                advance(self._expect(partition, inputs.read()))
                comparison.covered = inputs.done
            else:
                messages = outputs.read()
                comparison.add_outputs([one.offset() for one in messages], self._expectation.found(messages))
                advance(len(messages))
        partition.input_at = inputs.at
        partition.output_at = outputs.at if partition.output_at is not None else None
        return not (inputs.deleted or outputs.deleted)

    def _after_deleted(self, number: int, partition: PartitionState) -> PartitionState:
        """The rest of a partition after records that were deleted unread; what still waits is read once more."""
        oldest = partition.comparison.oldest_input
        oldest = self._inputs.at if oldest is None else oldest
        begin = self._next(self._inputs, number) if self._inputs.deleted else oldest
        output_begin = self._next(self._outputs, number) if partition.output_end else 0
        rest = self._new_partition(number, begin, partition.input_begin, output_begin)
        rest.input_end, rest.output_end = max(begin, partition.input_end), max(output_begin, partition.output_end)
        rest.comparison.aligned = partition.comparison.aligned and not partition.input_end
        rest.earlier, rest.gone = partition.findings(everything=False), begin - oldest
        rest.earlier.counts["pending"] = 0
        return rest

    def _next(self, reader: PartitionReader, number: int) -> int:
        """The first offset that is left in a reader's topic."""
        facts = self._topics.source if reader is self._inputs else self._topics.target
        first = self._topics.begins(facts, [number])[number]
        if reader.deleted and first <= reader.at:
            place = f"{facts.name}[{number}]@{reader.at}"
            raise Failed(f"{place} does not exist any more: the topic was deleted and created again")
        return first

    def _first_output(
        self, number: int, partition: PartitionState, advance: Callable[[int], None], *, final: bool
    ) -> int | None:
        """The output offset that belongs to the first remaining input; found by timestamp, as the pipeline keeps it.

        None if there is no input yet, or it must stop and this is not the final step.
        """
        messages: list[Message] = []
        while not (messages or self._inputs.done or self._inputs.deleted) and (not self._must_stop() or final):
            messages = self._inputs.read()
        if not messages:
            return None
        advance(self._expect(partition, messages))
        if not partition.output_end:
            return 0
        earliest = min(message.timestamp()[1] for message in messages)
        may_differ = earliest <= 0 or self._expectation.may_refuse(earliest, int(time.time() * 1000))
        if may_differ or not self._expectation.has_times:
            return self._topics.begins(self._topics.target, [number])[number]
        found = self._topics.from_time(self._topics.target, number, earliest)
        return partition.output_end if found is None else found

    def _expect(self, partition: PartitionState, messages: list[Message]) -> int:
        """Pass the inputs that were just read to the comparison; return their number."""
        values = () if self._expectation.takes_all_times else [one.value() for one in messages]
        expected = self._expectation.expected(messages)
        partition.comparison.add_inputs([one.offset() for one in messages], expected, values)
        partition.input_at = self._inputs.at  # before anyone looks at the findings: each input counts once
        return len(messages)

    def _end(self, number: int, partition: PartitionState, advance: Callable[[int], None]) -> None:
        """Count the rest, and the inputs that are not read yet."""
        partition.comparison.end()
        self._inputs.begin(number, partition.input_at, partition.input_end)
        while not self._inputs.done:
            self._must_stop()
            count = len(self._inputs.read())
            partition.unread += count
            partition.input_at = self._inputs.at
            advance(count)
            if self._inputs.deleted:
                first = min(self._next(self._inputs, number), partition.input_end)
                partition.gone += first - self._inputs.at
                self._inputs.begin(number, first, partition.input_end)
        partition.input_at = self._inputs.at


def _wants_input(comparison: Comparison) -> bool:
    """Whether to read more input though all output has been read."""
    inputs, outputs = comparison.waiting
    return inputs < WINDOW or (outputs > 0 and (comparison.ending or inputs < 2 * WINDOW))
