"""Reads two topics with different numbers of partitions, so that neither side gets far ahead of the other."""

import sys
from collections.abc import Callable

from confluent_kafka import Message

from runtime.settings import Settings
from tools.verify.findings import Findings
from tools.verify.keys import KeyedComparison
from tools.verify.records import Expectation
from tools.verify.topics import Reader, Topics
from tools.verify.walk import Begin, first_input, heed_signals, numbered

_CHUNK = 50_000  # records of one partition that are read before it is the next one's turn


class KeyWalk:
    """The audit of an output topic that has other partitions than the input topic."""

    def __init__(self, topics: Topics, settings: Settings, begin: Begin, *, follow: bool) -> None:
        self._topics, self._follow = topics, follow
        self._expectation = Expectation(topics.target)
        self._inputs, self._outputs = topics.reader(topics.source), topics.reader(topics.target)
        self._unread: dict[int, int] = {}
        self._look()
        begins = topics.begins(topics.source, self._input_ends)
        self._input_at = {
            number: first_input(topics, begin, number, begins[number], end) for number, end in self._input_ends.items()
        }
        self._begun = dict(self._input_at)
        self._output_at = self._topics.begins(topics.target, self._output_ends)
        began_later = settings.auto_offset_reset == "latest"
        self._comparison = KeyedComparison(
            topics.source.partitions,
            topics.target.partitions,
            compacted="compact" in topics.source.config.get("cleanup.policy", ""),
            late=[number for number, first in self._output_at.items() if began_later or first > 0],
            cut=self._begin_later() if any(self._input_at.values()) else None,
        )

    def size(self) -> int:
        """How many offsets are to be read by now."""
        return sum(self._input_ends.values()) + sum(self._output_ends.values()) - sum(self._begun.values())

    def step(self, advance: Callable[[int], None], *, final: bool) -> bool:
        """Read both topics to where they end now; see Walk."""
        self._look()
        has_news = False
        while not heed_signals(follow=self._follow) or final:
            inputs = [number for number, at in self._input_at.items() if at < self._input_ends[number]]
            outputs = [number for number, at in self._output_at.items() if at < self._output_ends[number]]
            if inputs and self._comparison.wants_input(more_outputs=bool(outputs)):
                number = min(inputs, key=self._comparison.waiting_of)
                self._input_at[number] = self._read(self._inputs, number, advance)
            elif outputs:
                number = min(outputs, key=lambda one: self._output_at[one] / self._output_ends[one])
                self._output_at[number] = self._read(self._outputs, number, advance)
            else:
                break
            has_news = True
        if final:
            self._count_unread(advance)
        return has_news

    def findings(self) -> dict[int, Findings]:
        """What was found, by partition."""
        found = {number: Findings() for number in {*self._input_ends, *self._output_ends}} | self._comparison.findings()
        for number, end in self._input_ends.items():
            found[number].counts["pending"] += end - self._input_at[number] + self._unread.get(number, 0)
        return found

    def close(self) -> None:
        """Let go of the broker."""
        self._inputs.close()
        self._outputs.close()

    def _look(self) -> None:
        """See where the partitions end: first the output's, so that each output's input lies before the input's end."""
        topics = self._topics
        self._output_ends = topics.ends(topics.target, range(topics.target.partitions))
        self._input_ends = topics.ends(topics.source, range(topics.source.partitions))

    def _read(self, reader: Reader, number: int, advance: Callable[[int], None]) -> int:
        """Read a chunk of a partition; give the offset to go on from."""
        is_input = reader is self._inputs
        ends, ats = (self._input_ends, self._input_at) if is_input else (self._output_ends, self._output_at)
        add = self._comparison.add_inputs if is_input else self._comparison.add_outputs
        reader.begin(number, ats[number], ends[number])
        count = 0
        while not reader.done and count < _CHUNK:
            messages = reader.read()
            add(number, *numbered(messages, self._expectation.expected if is_input else self._expectation.found))
            count += len(messages)
            advance(len(messages))
            if heed_signals(follow=self._follow) and not messages:
                break
        return reader.at

    def _begin_later(self) -> dict[int, int]:
        """Find where the output begins to belong to what is left of the input: timestamps are kept.

        Returns:
            When each partition begins of which something is left out or gone; a time to come where nothing is left.
        """
        earliest, cut = [], {}
        for number, at in self._input_at.items():
            self._inputs.begin(number, at, self._input_ends[number])
            messages: list[Message] = []
            while not messages and not self._inputs.done:
                heed_signals(follow=self._follow)
                messages = self._inputs.read()
            times = [message.timestamp()[1] for message in messages]
            earliest += times
            if at > 0:
                cut[number] = times[0] if times else sys.maxsize
        if earliest and min(earliest) > 0 and self._expectation.has_times:
            for number, end in self._output_ends.items():
                found = self._topics.from_time(self._topics.target, number, min(earliest))
                self._output_at[number] = end if found is None else found
        return cut

    def _count_unread(self, advance: Callable[[int], None]) -> None:
        """Count the inputs that are not processed yet and were not needed so far."""
        for number, end in self._input_ends.items():
            self._inputs.begin(number, self._input_at[number], end)
            while not self._inputs.done:
                heed_signals(follow=self._follow)
                count = len(self._inputs.read())
                self._unread[number] = self._unread.get(number, 0) + count
                advance(count)
            self._input_at[number] = end
