"""What is compared of a record: what the pipeline's own functions make of an input, and what the output topic holds."""

from collections.abc import Sequence

from confluent_kafka import Message

from pipeline import TRANSFORMS
from runtime.headers import headers_of
from runtime.output import Output
from runtime.topics import TopicFacts
from runtime.totals import Totals
from tools.verify.gap import Record
from transforms import Malformed, chain


class Expectation:
    """Says what is to be in an output topic, by its present `max.message.bytes`.

    Where the topic replaces timestamps (LogAppendTime), they are not compared.
    """

    def __init__(self, target: TopicFacts) -> None:
        self._transform = chain(*TRANSFORMS)
        self._output = Output(target.name, target.max_message_bytes, Totals())
        self.has_times = target.config.get("message.timestamp.type") != "LogAppendTime"

    def expected(self, messages: Sequence[Message]) -> list[Record]:
        """Map input records, as the pipeline's sink does.

        Raises:
            Failed: not even the stub of a record fits into the output topic; the pipeline stops there, too.
        """
        transform, produced, surely_fits = self._transform, self._output.produced, self._output.surely_fits
        records = []
        for message, headers in zip(messages, headers_of(messages), strict=True):
            key, result = message.key(), transform(message.value())
            time = message.timestamp()[1] if self.has_times else None
            if headers or isinstance(result, Malformed) or len(result) + len(key or b"") > surely_fits:
                value, kept = produced(result, key, headers, message)
                records.append(Record(key, value, time, tuple(kept) or None))
            else:
                records.append(Record(key, result, time, None))
        return records

    def found(self, messages: Sequence[Message]) -> list[Record]:
        """Take output records as they are."""
        return [
            Record(
                message.key(),
                message.value(),
                message.timestamp()[1] if self.has_times else None,
                tuple(headers) if headers else None,
            )
            for message, headers in zip(messages, headers_of(messages), strict=True)
        ]
