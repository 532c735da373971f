"""Reads some records of a partition at a time."""

from typing import NamedTuple

from confluent_kafka import Message

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.dead_letters import DETAIL, NAMES, OFFSET, PARTITION, TOPIC
from runtime.loop.headers import headers_of
from runtime.loop.output_record import TAG, Headers
from tools.verify.topics import Topics

_OVERHEAD = 500  # bytes of a record in memory, without its value


class DeadLetter(NamedTuple):
    """What the headers of a dead letter say: why the record is malformed, and where it is in the input topic."""

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    others: Headers
    """The record's own headers."""

    @property
    def place(self) -> str:
        """Topic, partition and offset of the record."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class TopicRecord(NamedTuple):
    """A record and its place. The timestamp is in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: Headers
    value: bytes | None

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def tag(self) -> str | None:
        """The reason in the header of a malformed record, or None if it has no tag, like a login's record."""
        name, content = self.headers[-1] if self.headers else ("", None)
        return (content or b"").decode(errors="backslashreplace") if name == TAG else None

    @property
    def dead_letter(self) -> DeadLetter | None:
        """What its headers say, or None if they are not those of a dead letter."""
        texts = {name: (content or b"").decode(errors="backslashreplace") for name, content in self.headers}
        if not texts.keys() >= NAMES:
            return None
        partition, offset = number_in(texts[PARTITION], 9), number_in(texts[OFFSET], 19)
        if partition is None or offset is None:
            return None
        others = [header for header in self.headers if header[0] not in NAMES]
        return DeadLetter(texts[TAG], texts[DETAIL], texts[TOPIC], partition, offset, others)


def number_in(text: str, digits: int) -> int | None:
    """The number in a header's text, or None if it is not one with at most this many digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


class TopicReader:
    """Reads the committed records of a topic."""

    def __init__(self, topics: Topics, facts: TopicFacts) -> None:
        self._topics, self._facts = topics, facts
        self._reader = topics.reader(facts)

    def some(self, number: int, begin: int, end: int, size: int) -> tuple[list[TopicRecord], int]:
        """Read the first records of a range. Return them with the offset to read on from, `end` if there are no more.

        Args:
            number: the partition.
            begin: the first offset.
            end: the offset after the last one; at most the partition's end.
            size: after this many bytes, it returns.

        Raises:
            PipelineError: the broker did not answer for too long, a batch cannot be decompressed, or the topic was
                deleted and created again.
        """
        reader = self._reader
        messages: list[Message] = []
        reader.begin(number, begin, end)
        while not (reader.done or reader.deleted) and size > 0:
            arrived = reader.read()
            messages += arrived
            size -= sum(len(message) + _OVERHEAD for message in arrived)
        if reader.deleted:
            return _records(messages), min(self._topics.first_left(reader, self._facts, number), end)
        return _records(messages), reader.at


def _records(messages: list[Message]) -> list[TopicRecord]:
    return [
        TopicRecord(
            *(one.topic(), one.partition(), one.offset(), one.timestamp()[1]), one.key(), headers or [], one.value()
        )
        for one, headers in zip(messages, headers_of(messages), strict=True)
    ]
