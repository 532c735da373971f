"""Input records, and the dead letters that a worker would write for them."""

from collections.abc import Sequence
from typing import NamedTuple

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.dead_letters import DeadLetters
from runtime.loop.output_record import Headers
from tests.kafka import Record
from transforms import Malformed, Reason

MOMENT = 1_700_000_000_000


class Input(NamedTuple):
    """What a dead letter's builder reads of an input record, with the methods of confluent-kafka's Message."""

    name: str
    number: int
    at: int
    content: bytes | None

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at

    def value(self) -> bytes | None:
        return self.content


def dead_letter(
    source: str,
    record: Record,
    reason: str = Reason.INVALID_JSON,
    limit: int = 1_000_000,
) -> Record:
    """The dead letter of an input record with an offset."""
    place = Input(source, record.partition, record.offset, record.value)
    facts = TopicFacts("dead", 1, {"max.message.bytes": f"{limit}"})
    malformed = Malformed(Reason(reason), "why", None)
    headers: Headers
    value, key, timestamp, headers = DeadLetters(facts).build(
        malformed, record.key, record.timestamp, record.headers, place
    )
    return Record(key, value, headers, timestamp, record.partition)


def originals(count: int, partitions: int = 1) -> list[Record]:
    """Malformed records, each different, in the partitions in turns."""
    return [
        Record(b"k%d" % n, b"no JSON %d" % n, [("n", b"%d" % n)], MOMENT + n, n % partitions, n // partitions)
        for n in range(count)
    ]


def replayed(records: Sequence[Record], attempt: int = 1) -> list[Record]:
    """What the input topic has for these after a replay, by partition."""
    sent = [
        Record(one.key, one.value, [*one.headers, ("replay.attempt", b"%d" % attempt)], one.timestamp, one.partition)
        for one in records
    ]
    return sorted(sent, key=lambda one: one.partition)
