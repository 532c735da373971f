"""Compares the dead-letter topic with the malformed inputs, which the comparison of the output passes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import Message

from runtime.connect.topic_facts import TopicFacts
from tools.verify.comparison import Comparison
from tools.verify.findings import Findings
from tools.verify.gap import WINDOW, Record
from tools.verify.records import DeadLetterRecords, Expectation
from tools.verify.topics import Topics


@dataclass
class _Partition:
    """How far the dead letters of one partition were read. `at` is None until the place to begin is known."""

    comparison: Comparison
    at: int | None
    end: int

    @property
    def left(self) -> int:
        """How many offsets are not read yet."""
        return 0 if self.at is None else self.end - self.at

    @property
    def has_news(self) -> bool:
        """Whether there are dead letters to read. No more than WINDOW wait until their inputs are known."""
        expected, found = self.comparison.waiting
        return self.left > 0 and (self.comparison.covered or found < expected + WINDOW)


class DeadLetterWalk:
    """The comparison of the dead-letter topic, partition by partition.

    The topic may be newer than the pipeline, so the dead letters of the first inputs may be missing.

    Args:
        topics: open topics.
        facts: the dead-letter topic's.
        output: says which inputs are malformed.
    """

    def __init__(self, topics: Topics, facts: TopicFacts, output: Expectation) -> None:
        self._topics, self._facts = topics, facts
        self._records = DeadLetterRecords(facts, output)
        self._reader = topics.reader(facts)
        self._reading: int | None = None
        self._ends: dict[int, int] = {}
        self._partitions: dict[int, _Partition] = {}

    def update_ends(self) -> set[int]:
        """Update the partitions' ends, and return the numbers of those that have had records."""
        self._ends = self._topics.ends(self._facts, range(self._topics.partitions(self._facts)))
        self._reading = None
        for number, partition in self._partitions.items():
            partition.end = self._ends.get(number, 0)
        return {number for number, end in self._ends.items() if end}

    def add(self, number: int, *, history: int, cut: bool, compacted: bool, has_input: bool) -> None:
        """Include a partition. The options are those of Comparison."""
        comparison = Comparison(
            history=history, cut=cut, skips_inputs=True, compacted=compacted, retiming=self._records.retiming
        )
        comparison.aligned = not has_input
        begin = None if cut else self._topics.begins(self._facts, self._ends.keys() & {number}).get(number, 0)
        self._partitions[number] = _Partition(comparison, begin, self._ends.get(number, 0))

    def size(self) -> int:
        """The present number of offsets to read."""
        return sum(one.left for one in self._partitions.values())

    def has_news(self, number: int) -> bool:
        """Whether a partition has dead letters to read."""
        return self._partitions[number].has_news

    def expect(self, number: int, messages: Sequence[Message], outputs: Sequence[Record]) -> None:
        """Take a partition's next inputs, and the outputs that are expected of them."""
        partition, letters = self._partitions[number], self._records.expected(messages, outputs)
        if not letters:
            return
        inputs = [message for message, _ in letters]
        if partition.at is None:
            since = self._records.kept(min(message.timestamp()[1] for message in inputs))
            partition.at = self._topics.first_since(self._facts, number, since) if partition.end else 0
        comparison = partition.comparison
        comparison.add_inputs([one.offset() for one in inputs], [record for _, record in letters], inputs)

    def inputs_deleted(self, number: int) -> None:
        """Skip what waits for its dead letter, as the next inputs were deleted before they could be read."""
        comparison = self._partitions[number].comparison
        comparison.set_aside("skipped", inputs=comparison.waiting[0])
        comparison.realign(cut=True)

    def read(
        self, number: int, advance: Callable[[int], None], must_stop: Callable[[], bool], *, covered: bool
    ) -> None:
        """Read a partition's dead letters as far as they are expected.

        Args:
            number: the partition.
            advance: called with numbers of records that were read.
            must_stop: whether to end early; it may raise an error instead.
            covered: whether all inputs of these dead letters are known.
        """
        partition = self._partitions[number]
        comparison = partition.comparison
        comparison.covered = covered
        while partition.has_news and not must_stop():
            if self._reading != number:
                self._reading = number
                self._reader.begin(number, partition.at or 0, partition.end)
            messages = self._reader.read()
            comparison.add_outputs([one.offset() for one in messages], self._records.found(messages))
            partition.at = self._reader.at
            advance(len(messages))
            if self._reader.deleted:
                comparison.set_aside("skipped", outputs=comparison.waiting[1])
                comparison.realign(cut=False)
                partition.at = min(self._topics.first_left(self._reader, self._facts, number), partition.end)
                self._reading = None
        waiting, found = comparison.waiting
        if not (partition.left or found) and waiting > 2 * WINDOW:  # the memory is bounded
            comparison.set_aside("pending", inputs=waiting - WINDOW)

    def end(self, number: int, advance: Callable[[int], None], must_stop: Callable[[], bool]) -> None:
        """Read the rest of a partition and count it, as nothing follows."""
        comparison = self._partitions[number].comparison
        comparison.ending = True
        self.read(number, advance, must_stop, covered=True)
        comparison.end()

    def findings(self) -> dict[int, Findings]:
        """The result, by partition."""
        return {number: one.comparison.findings() for number, one in self._partitions.items()}

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()
