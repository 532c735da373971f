"""Makes the records to compare: what the pipeline's functions make of an input, and what the output topic has."""

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Message

from pipeline import TRANSFORMS
from runtime.connect.timestamp_limits import UNLIMITED, TimestampLimits
from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Failed
from runtime.loop.headers import headers_of
from runtime.loop.output_record import TIME_OF_PRODUCING, Output
from runtime.observe.counters import Totals
from tools.verify.gap import Record
from transforms import Malformed, chain, refused_timestamp

_WIDENED = 2
"""How often the pipeline may have widened its margin to the topic's timestamp limits: to four minutes."""


class _Input(NamedTuple):
    """An input record, in the form that Output takes."""

    source: str
    number: int
    place: int
    content: bytes | None

    def topic(self) -> str:
        return self.source

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.place

    def value(self) -> bytes | None:
        return self.content


class Expectation:
    """Returns the expected and the actual records of an output topic, by its present limits.

    If the topic replaces timestamps (LogAppendTime), they are not compared, and none is refused.
    """

    def __init__(self, source: str, target: TopicFacts) -> None:
        self._source = source
        self._transform = chain(*TRANSFORMS)
        self._limits = TimestampLimits(target.config)
        self._output = Output(
            TopicFacts(target.name, target.partitions, {"max.message.bytes": f"{target.max_message_bytes}"}), Totals()
        )
        self.has_times = target.config.get("message.timestamp.type") != "LogAppendTime"
        for _ in range(_WIDENED):
            self._limits.widen_margin()
        self._limits.update()
        self.takes_all_times = self._limits.oldest <= 0 and self._limits.newest >= UNLIMITED

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

    def retimed(self, partition: int, offset: int, value: bytes | None, expected: Record) -> Record | None:
        """Return what is produced if the topic refuses the input's timestamp; None if not even its stub fits."""
        result = refused_timestamp(self._transform(value), value, expected.timestamp or 0)
        record = _Input(self._source, partition, offset, value)
        try:
            produced, time, headers, _ = self._output.build(
                result, expected.key, TIME_OF_PRODUCING, list(expected.headers or ()), record
            )
        except Failed:
            return None
        return Record(expected.key, produced, time, tuple(headers))

    def may_refuse(self, timestamp: int, produced: int) -> bool:
        """Whether the topic may have refused this timestamp at the time of producing; both in milliseconds."""
        self._limits.update(produced)
        return self._limits.refuses(timestamp)

    def found(self, messages: Sequence[Message]) -> list[Record]:
        """Return output records as they are."""
        return [
            Record(
                message.key(),
                message.value(),
                message.timestamp()[1] if self.has_times else None,
                tuple(headers) if headers else None,
            )
            for message, headers in zip(messages, headers_of(messages), strict=True)
        ]
