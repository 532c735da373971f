"""The reader of one partition, on a real broker."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, Message

from runtime.settings import Settings
from tests.kafka import TIMEOUT, Kafka, Record
from tools.verify.topics import Topics
from tools.waiting import wait_until

COUNT = 10


class DoubtingConsumer(Consumer):  # type: ignore[misc]  # confluent-kafka has no types for it
    """Gives the error that librdkafka gives if a new leader's epochs do not confirm its offset, and stops fetching."""

    made = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        DoubtingConsumer.made += 1
        self.gave_error = False

    def consume(self, *arguments: Any, **options: Any) -> list[Message]:
        """Give the error in place of the first batch."""
        arrived: list[Message] = super().consume(*arguments, **options)
        if not arrived or self.gave_error:
            return arrived
        self.gave_error = True
        self.unassign()
        truncated = KafkaError(KafkaError._AUTO_OFFSET_RESET, "Partition log truncation detected")
        return [Message(topic=arrived[0].topic(), partition=0, offset=OFFSET_INVALID, error=truncated)]


def test_offset_in_doubt(kafka: Kafka, topics: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error without an offset deletes nothing: the range is read to its end, and no new client is needed."""
    monkeypatch.setattr("tools.verify.reader.Consumer", DoubtingConsumer)
    source = topics("doubted")
    kafka.produce(source, [Record(b"k", b"%d" % number) for number in range(COUNT)])
    settings = Settings.load(environment={"Quix__Broker__Address": kafka.address})
    known = Topics(settings, TIMEOUT, "")
    reader, read = known.reader(known.facts(source)[0]), []
    with closing(reader):
        reader.begin(0, 0, COUNT)

        def is_done() -> bool:
            read.extend([message.offset() for message in reader.read()])
            return reader.done

        wait_until(is_done, "the end of the range")
    assert (read, reader.deleted) == (list(range(COUNT)), False)
    assert DoubtingConsumer.made == 1
