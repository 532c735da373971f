"""A Kafka client for tests: creates topics, writes records, reads them back. Every wait has a deadline."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from tools.waiting import wait_until

TIMEOUT = 60.0  # seconds; far above what anything takes on a slow machine
_ANSWER_TIMEOUT = 10.0  # seconds, for one request to a coordinator


@dataclass(frozen=True)
class Record:
    """One record, with its timestamp in milliseconds.

    The offset is set when it is read. Comparisons ignore it.
    """

    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    timestamp: int = 1_700_000_000_000
    partition: int = 0
    offset: int = field(default=-1, compare=False)


_RETRIABLE = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._TIMED_OUT,
}


class Kafka:
    """A client of one broker.

    Args:
        address: bootstrap servers.
        security: librdkafka's settings for a broker that asks for credentials.
    """

    def __init__(self, address: str, security: Mapping[str, str] | None = None) -> None:
        self.address = address
        self._client = {"bootstrap.servers": address, "log_level": 0, **(security or {})}
        self._admin = AdminClient(self._client)

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic, wait until each partition has a leader, and return its name."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        self._admin.create_topics([topic])[name].result(TIMEOUT)
        wait_until(lambda: len(self.partitions(name)) == partitions, f"leaders of {name}")
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Kafka removes it a little later."""
        self._admin.delete_topics([name])[name].result(TIMEOUT)

    def add_partitions(self, topic: str, count: int) -> None:
        """Raise the topic's number of partitions, and wait until each has a leader."""
        self._admin.create_partitions([NewPartitions(topic, count)])[topic].result(TIMEOUT)
        wait_until(lambda: len(self.partitions(topic)) == count, f"{count} partitions of {topic}")

    def alter_topic(self, topic: str, name: str, value: str) -> None:
        """Change one setting of a topic."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET))
        self._admin.incremental_alter_configs([resource])[resource].result(TIMEOUT)

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Delete the records of a partition before this offset, as their expiry does."""
        place = TopicPartition(topic, partition, before)
        self._admin.delete_records([place])[place].result(TIMEOUT)

    def partitions(self, topic: str) -> list[int]:
        """The numbers of the topic's partitions that have a leader, or none if the topic does not exist."""
        found = self._admin.list_topics(topic, timeout=TIMEOUT).topics[topic]
        return sorted(number for number, partition in found.partitions.items() if partition.leader >= 0)

    def _all_partitions(self, topic: str) -> list[int]:
        """The numbers of the topic's partitions, also of those that have no leader now, as after a slow moment."""

        def found() -> list[int]:
            return sorted(self._admin.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions)

        return wait_until(found, f"the partitions of {topic}")

    def produce(self, topic: str, records: Iterable[Record]) -> None:
        """Write each record to its partition and wait until the broker has all.

        It raises KafkaException if the broker refuses one.
        """
        errors: list[KafkaError] = []
        producer = Producer({**self._client, "queue.buffering.max.messages": 10_000_000})
        for record in records:
            producer.produce(
                topic,
                record.value,
                record.key,
                partition=record.partition,
                timestamp=record.timestamp,
                headers=record.headers,
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )
        unsent = producer.flush(TIMEOUT)
        if errors:
            raise KafkaException(errors[0])
        assert not unsent, f"{unsent} records could not be sent within {TIMEOUT:g} s"

    def read(self, topic: str, count: int, timeout: float = TIMEOUT, isolation: str = "read_committed") -> list[Record]:
        """Return all records of the topic, by partition and offset, once there are at least `count`.

        It reads to the end of every partition, to find surplus records; AssertionError after `timeout` seconds.
        """
        records: list[Record] = []
        unfinished = set(self._all_partitions(topic))
        with closing(self._consumer(isolation)) as consumer:
            consumer.list_topics(topic, timeout=TIMEOUT)  # unknown leaders would cost it half a second
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in unfinished])
            deadline = time.monotonic() + timeout
            while unfinished or len(records) < count:
                assert time.monotonic() < deadline, f"{topic}: {len(records)} of {count} records within {timeout:g} s"
                for message in consumer.consume(10_000, timeout=0.05):
                    if not message.error():
                        records.append(_record(message))
                        unfinished.add(message.partition())
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        unfinished.discard(message.partition())
                    else:
                        raise KafkaException(message.error())
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def end_offsets(self, topic: str) -> dict[int, int]:
        """By partition, the offset that the next record will get. A transaction's marker takes one, too."""
        ends = {}
        with closing(self._consumer("read_uncommitted")) as consumer:
            for number in self._all_partitions(topic):
                _, ends[number] = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=TIMEOUT)
        return ends

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """By partition, the offset that the group has committed. Partitions without a commit are left out."""
        wanted = [TopicPartition(topic, number) for number in self._all_partitions(topic)]
        with closing(self._consumer("read_committed", group)) as consumer:
            found = _ask(lambda: consumer.committed(wanted, timeout=_ANSWER_TIMEOUT))
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def commit(self, group: str, topic: str, offset: int, metadata: str = "", partition: int = 0) -> None:
        """Commit an offset for a group that has no members."""
        place = TopicPartition(topic, partition, offset, metadata=metadata)
        with closing(self._consumer("read_committed", group)) as consumer:
            (answer,) = _ask(lambda: consumer.commit(offsets=[place], asynchronous=False))
        assert answer.error is None, answer.error

    def _consumer(self, isolation: str, group: str = "tests") -> Consumer:
        return Consumer(
            {
                **self._client,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": isolation,
                "fetch.wait.max.ms": 20,
            }
        )


def _ask(request: Callable[[], list[TopicPartition]]) -> list[TopicPartition]:
    """Return the coordinator's answer, or raise KafkaException if it refuses or there is none within TIMEOUT."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return request()
        except KafkaException as error:
            if error.args[0].code() not in _RETRIABLE or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _record(message: Any) -> Record:
    _, timestamp = message.timestamp()
    return Record(
        message.key(), message.value(), message.headers() or [], timestamp, message.partition(), message.offset()
    )
