"""Reads both topics partition by partition and compares them, repeatedly while the pipeline runs."""

from collections.abc import Callable
from functools import partial

from confluent_kafka import Message

from runtime.settings import Settings
from tools.verify.cases import HISTORY
from tools.verify.comparison import Comparison
from tools.verify.dead_letters import DeadLetterWalk
from tools.verify.findings import Findings, total
from tools.verify.gap import WINDOW
from tools.verify.partition import PartitionState
from tools.verify.range import EVERYTHING, Begin
from tools.verify.records import Expectation
from tools.verify.topics import TopicPair

_LEAST_HISTORY = 10_000  # records of each partition, however many there are


class Walk:
    """The comparison of the topics. Each output partition belongs to the input partition of the same number.

    Args:
        topics: the input, the output, and the dead-letter topic if there is one.
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
        self._expectation = expectation or Expectation(topics.target)
        self._letters = DeadLetterWalk(topics, topics.dead_letter, self._expectation) if topics.dead_letter else None
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
        letters = self._letters.size() if self._letters else 0
        return letters + sum(one.input_end - one.begin + one.output_end - (one.output_at or 0) for one in found)

    def step(self, advance: Callable[[int], None], *, final: bool) -> bool:
        """Read the topics to their present ends. Return whether there were new records.

        Args:
            advance: called with numbers of records that were read.
            final: whether to count the rest as well, as no record follows.

        Raises:
            PipelineError: no broker, or interrupted.
        """
        self._update_ends()
        news = [number for number, one in self._partitions.items() if final or self._has_news(number, one)]
        for number in news:
            while not self._visit(number, self._partitions[number], advance, final=final):
                self._partitions[number] = self._after_deleted(number, self._partitions[number])
            if final:
                self._end(number, self._partitions[number], advance)
        return bool(news)

    def findings(self) -> dict[int, Findings]:
        """The result of the output, by partition."""
        everything, found = self._begin == EVERYTHING, self._partitions.items()
        return {number: one.findings(everything=everything) for number, one in found if number in self._compared}

    def all_findings(self) -> tuple[dict[int, Findings], dict[int, Findings]]:
        """The results of the output and of the dead letters, by partition."""
        return self.findings(), self._letters.findings() if self._letters else {}

    def close(self) -> None:
        """Disconnect."""
        self._inputs.close()
        self._outputs.close()
        if self._letters:
            self._letters.close()

    def _has_news(self, number: int, partition: PartitionState) -> bool:
        return partition.has_news or bool(self._letters and self._letters.has_news(number))

    def _update_ends(self) -> None:
        """Update the partitions' ends: the input's last, so that the input of each record is before the input's end.

        A partition that the input lacks is included once it has records: they have no input.
        """
        letter_numbers = self._letters.update_ends() if self._letters else set()
        source, target = self._topics.source, self._topics.target
        output_ends = self._topics.ends(target, range(self._topics.partitions(target)))
        input_ends = self._topics.ends(source, range(self._topics.partitions(source)))
        self._compared = {*input_ends, *(number for number, end in output_ends.items() if end)}
        numbers = self._compared | letter_numbers
        new = numbers - self._partitions.keys()
        begins = self._topics.begins(source, new & input_ends.keys())
        output_begins = self._topics.begins(target, new & output_ends.keys())
        self._history = max(_LEAST_HISTORY, HISTORY // len(numbers))
        for number in sorted(new):
            has_input, first = number in input_ends, begins.get(number, 0)
            begin = self._begin.offset(self._topics, number, first, input_ends[number]) if has_input else 0
            partition = self._new_partition(number, begin, first, output_begins.get(number, 0))
            partition.comparison.aligned = not has_input
            self._partitions[number] = partition
            if self._letters:
                options = {"cut": begin > 0, "compacted": self._compacted, "has_input": has_input}
                self._letters.add(number, history=self._history, **options)
        for number, partition in self._partitions.items():
            partition.input_end, partition.output_end = input_ends.get(number, 0), output_ends.get(number, 0)

    def _new_partition(self, number: int, begin: int, input_begin: int, output_begin: int) -> PartitionState:
        """A new partition, from this offset of the input."""
        comparison = Comparison(
            history=self._history,
            cut=begin > 0,
            skips_inputs=self._began_later or output_begin > 0,
            compacted=self._compacted,
            retiming=self._expectation.retiming,
            on_judged=partial(self._letters.expect, number) if self._letters else None,
        )
        return PartitionState(comparison, begin, begin, None if begin > 0 else output_begin, input_begin, output_begin)

    def _visit(self, number: int, partition: PartitionState, advance: Callable[[int], None], *, final: bool) -> bool:
        """Read one partition of the topics to its ends, each time the side with fewer waiting records.

        Returns False if the next record of a side was deleted before it was read.
        """
        inputs, outputs, comparison = self._inputs, self._outputs, partition.comparison
        inputs.begin(number, partition.input_at, partition.input_end)
        if partition.output_at is None:
            partition.output_at = self._first_output(number, partition, advance, final=final)
        outputs.begin(number, partition.output_at or 0, partition.output_end if partition.output_at is not None else 0)
        comparison.covered, comparison.ending = inputs.done, final
        while not outputs.done or (not inputs.done and _wants_input(comparison)):
            if inputs.deleted or outputs.deleted or self._stops(final=final):
                break
            waiting_in, waiting_out = comparison.waiting
            if not inputs.done and (outputs.done or waiting_in <= waiting_out):
                advance(self._expect(partition, inputs.read()))
                comparison.covered = inputs.done
            else:
                messages = outputs.read()
                comparison.add_outputs([one.offset() for one in messages], self._expectation.found(messages))
                advance(len(messages))
            self._read_letters(number, comparison, advance, final=final)
        self._read_letters(number, comparison, advance, final=final)
        partition.input_at = inputs.at
        partition.output_at = outputs.at if partition.output_at is not None else None
        return not (inputs.deleted or outputs.deleted)

    def _read_letters(
        self, number: int, comparison: Comparison, advance: Callable[[int], None], *, final: bool
    ) -> None:
        """Read the dead letters of the inputs so far."""
        if self._letters:
            covered = self._inputs.done and not comparison.waiting[0]
            self._letters.read(number, advance, partial(self._stops, final=final), covered=covered)

    def _stops(self, *, final: bool) -> bool:
        """Whether to end a step now. The final one only ends early by an error."""
        return self._must_stop() and not final

    def _after_deleted(self, number: int, partition: PartitionState) -> PartitionState:
        """The rest of a partition after records that were deleted unread. What still waits is read once more."""
        oldest = partition.comparison.oldest_input
        oldest = self._inputs.at if oldest is None else oldest
        first_left, topics = self._topics.first_left, self._topics
        begin = first_left(self._inputs, topics.source, number) if self._inputs.deleted else oldest
        output_begin = first_left(self._outputs, topics.target, number) if partition.output_end else 0
        if self._letters and self._inputs.deleted:
            self._letters.inputs_deleted(number)
        rest = self._new_partition(number, begin, partition.input_begin, output_begin)
        rest.input_end, rest.output_end = max(begin, partition.input_end), max(output_begin, partition.output_end)
        rest.comparison.aligned = partition.comparison.aligned and not partition.input_end
        rest.earlier, rest.gone = partition.findings(everything=False), begin - oldest
        rest.earlier.counts["pending"] = 0
        return rest

    def _first_output(
        self, number: int, partition: PartitionState, advance: Callable[[int], None], *, final: bool
    ) -> int | None:
        """The output offset that belongs to the first remaining input, found by timestamp, as the pipeline keeps it.

        It is None if there is no input yet, or it must stop and this is not the final step.
        """
        messages: list[Message] = []
        while not (messages or self._inputs.done or self._inputs.deleted) and not self._stops(final=final):
            messages = self._inputs.read()
        if not messages:
            return None
        advance(self._expect(partition, messages))
        if not partition.output_end:
            return 0
        earliest = min(message.timestamp()[1] for message in messages)
        return self._topics.first_since(self._topics.target, number, self._expectation.kept(earliest))

    def _expect(self, partition: PartitionState, messages: list[Message]) -> int:
        """Pass the inputs that were just read to the comparison, and return their number."""
        expected = self._expectation.expected(messages)
        kept = messages if self._expectation.retiming or self._letters else ()
        partition.comparison.add_inputs([one.offset() for one in messages], expected, kept)
        partition.input_at = self._inputs.at  # before the findings are read: each input counts once
        return len(messages)

    def _end(self, number: int, partition: PartitionState, advance: Callable[[int], None]) -> None:
        """Count the rest, and the inputs that are not read yet."""
        partition.comparison.end()
        self._inputs.begin(number, partition.input_at, partition.input_end)
        while not self._inputs.done:
            self._must_stop()
            messages = self._inputs.read()
            partition.unread += len(messages)
            partition.input_at = self._inputs.at
            advance(len(messages))
            if self._letters:
                self._letters.expect(number, messages, self._expectation.expected(messages))
                self._letters.read(number, advance, partial(self._stops, final=True), covered=False)
            if self._inputs.deleted:
                first = min(self._topics.first_left(self._inputs, self._topics.source, number), partition.input_end)
                partition.gone += first - self._inputs.at
                self._inputs.begin(number, first, partition.input_end)
        partition.input_at = self._inputs.at
        if self._letters:
            self._letters.end(number, advance, partial(self._stops, final=True))


def _wants_input(comparison: Comparison) -> bool:
    """Whether to read more input though all output has been read."""
    inputs, outputs = comparison.waiting
    return inputs < WINDOW or (outputs > 0 and (comparison.ending or inputs < 2 * WINDOW))
