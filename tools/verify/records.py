"""Makes the records to compare: what the pipeline's functions make of an input, and what its topics have."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from confluent_kafka import Message

from pipeline import TRANSFORMS
from runtime.connect.timestamp_limits import UNLIMITED, TimestampLimits
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed
from runtime.loop.dead_letters import DeadLetters
from runtime.loop.headers import headers_of
from runtime.loop.output_record import TAG, TIME_OF_PRODUCING, Output
from runtime.observe.counters import Totals
from tools.verify.gap import Record
from tools.verify.retiming import Retiming
from transforms import Malformed, chain, refused_timestamp

_WIDENED = 2
"""How often the pipeline may have widened its margin to the topic's timestamp limits: to four minutes."""


class TopicRecords(ABC):
    """Returns the records of a topic that the pipeline writes to, by its present limits.

    If the topic replaces timestamps (LogAppendTime), they are not compared, and none is refused.
    """

    def __init__(self, facts: TopicFacts) -> None:
        self.has_times = facts.config.get("message.timestamp.type") != "LogAppendTime"
        self._untimed = TopicFacts(facts.name, facts.partitions, {"max.message.bytes": f"{facts.max_message_bytes}"})
        self._limits = TimestampLimits(facts.config)
        for _ in range(_WIDENED):
            self._limits.widen_margin()
        self._limits.update()
        takes_all_times = self._limits.oldest <= 0 and self._limits.newest >= UNLIMITED
        self.retiming = None if takes_all_times else Retiming(self.retimed, self.may_refuse)

    @abstractmethod
    def retimed(self, message: Message, expected: Record) -> Record | None:
        """Return what is produced if the topic refuses the input's timestamp, or None if not even its stub fits."""

    def may_refuse(self, timestamp: int, produced: int) -> bool:
        """Whether the topic may have refused this timestamp at the time of producing, both in milliseconds."""
        self._limits.update(produced)
        return self._limits.refuses(timestamp)

    def kept(self, timestamp: int) -> int | None:
        """Return an input's timestamp if its record has it, too, or None if it may have another one."""
        self._limits.update()
        may_differ = timestamp <= 0 or self._limits.refuses(timestamp)
        return None if may_differ or not self.has_times else timestamp

    def found(self, messages: Sequence[Message]) -> list[Record]:
        """Return records as they are."""
        return [
            Record(
                message.key(),
                message.value(),
                message.timestamp()[1] if self.has_times else None,
                tuple(headers) if headers else None,
            )
            for message, headers in zip(messages, headers_of(messages), strict=True)
        ]


class Expectation(TopicRecords):
    """Returns the expected and the actual records of an output topic."""

    def __init__(self, target: TopicFacts) -> None:
        super().__init__(target)
        self._transform = chain(*TRANSFORMS)
        self._output = Output(self._untimed, Totals())

    def expected(self, messages: Sequence[Message]) -> list[Record]:
        """Map input records, as the pipeline's sink does.

        Raises:
            Failed: not even the stub of a record fits into the output topic; the pipeline fails there, too.
        """
        transform, build, max_plain_bytes = self._transform, self._output.build, self._output.max_plain_bytes
        records, has_times = [], self.has_times
        for message, headers in zip(messages, headers_of(messages), strict=True):
            key, result = message.key(), transform(message.value())
            time = message.timestamp()[1]
            if headers or isinstance(result, Malformed) or len(result) + len(key or b"") > max_plain_bytes:
                value, time, kept, _ = build(result, key, time, headers, message)
                records.append(Record(key, value, time if has_times else None, tuple(kept) or None))
            else:
                records.append(Record(key, result, time if has_times else None, None))
        return records

    def retimed(self, message: Message, expected: Record) -> Record | None:
        """Return what is produced if the topic refuses the input's timestamp, or None if not even its stub fits."""
        try:
            return self._refused(message, expected)[0]
        except Failed:
            return None

    def malformed(self, message: Message, expected: Record) -> Malformed | None:
        """Return why an input is malformed, by the output that is expected of it, or None if it is not."""
        if not expected.headers or expected.headers[-1][0] != TAG:
            return None
        timestamp = message.timestamp()[1]
        if timestamp and expected.timestamp not in {None, timestamp}:
            return self._refused(message, expected)[1]
        result = self._transform(message.value())
        return self._output.build(result, expected.key, timestamp, list(expected.headers), message)[-1]

    def _refused(self, message: Message, expected: Record) -> tuple[Record, Malformed | None]:
        """The output of an input whose timestamp the topic refuses, and why it is malformed."""
        result = refused_timestamp(self._transform(message.value()), message.value(), message.timestamp()[1])
        produced, time, headers, malformed = self._output.build(
            result, expected.key, TIME_OF_PRODUCING, list(expected.headers or ()), message
        )
        return Record(expected.key, produced, time, tuple(headers)), malformed


class DeadLetterRecords(TopicRecords):
    """Returns the expected and the actual records of a dead-letter topic.

    Args:
        facts: the topic's facts.
        output: says which inputs are malformed.
    """

    def __init__(self, facts: TopicFacts, output: Expectation) -> None:
        super().__init__(facts)
        self._output = output
        self._build = DeadLetters(self._untimed).build

    def expected(self, messages: Sequence[Message], outputs: Sequence[Record]) -> list[tuple[Message, Record]]:
        """Return the malformed inputs and their dead letters, given the outputs that are expected of all inputs."""
        letters = []
        for message, output in zip(messages, outputs, strict=True):
            if malformed := self._output.malformed(message, output):
                own = output.key, message.timestamp()[1], list(output.headers or ())
                value, key, time, headers = self._build(malformed, *own, message)
                letters.append((message, Record(key, value, time if self.has_times else None, tuple(headers))))
        return letters

    def retimed(self, message: Message, expected: Record) -> Record:
        """Return the same record with the time of producing."""
        _ = message
        return expected._replace(timestamp=TIME_OF_PRODUCING)
