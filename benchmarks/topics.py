"""Creates, fills, reads and deletes the benchmark's topics."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from benchmarks.verify import OutputCheck
from tools.generator.logins import GeneratedRecord
from tools.waiting import wait_until

TIMEOUT = 60.0  # seconds
INPUT = {"retention.ms": "-1"}
OUTPUT = {"retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
"""The broker sets the timestamp of each output record when it receives it. Throughput is measured by that."""


@dataclass
class OutputTopic:
    """When the broker received the records of an output topic."""

    first: float = float("inf")
    """The first record, in seconds since the epoch."""
    last: float = 0.0
    """The last record."""
    per_second: Counter[int] = field(default_factory=Counter)
    """Records by second."""


class BenchmarkTopics:
    """The topics of one broker."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = {"bootstrap.servers": address, "log_level": 0}
        self._admin = AdminClient(self._client)
        self._made = 0

    def create(self, config: dict[str, str], partitions: int = 1) -> str:
        """Create a topic and return its name."""
        self._made += 1
        name = f"{'output' if config is OUTPUT else 'input'}-{self._made}"
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        self._admin.create_topics([topic])[name].result(TIMEOUT)
        wait_until(lambda: self._is_ready(name, partitions), f"the leaders of {name}")
        return name

    def delete(self, *names: str) -> None:
        """Delete topics."""
        for deleted in self._admin.delete_topics(list(names)).values():
            deleted.result(TIMEOUT)

    def fill(self, topic: str, pool: Sequence[GeneratedRecord], count: int) -> None:
        """Write `count` records, round robin over the partitions."""
        producer = self.producer()
        self._write(producer, topic, pool, count)
        _flush(producer)

    def fill_unseen(
        self, topic: str, pool: Sequence[GeneratedRecord], count: int, compression: str = "lz4"
    ) -> Callable[[], None]:
        """Write them in a transaction. Calling the returned function commits it, so readers get all at once."""
        transaction = {"transactional.id": topic, "transaction.timeout.ms": 600_000}
        producer = self.producer({**transaction, "compression.type": compression})
        producer.init_transactions(TIMEOUT)
        producer.begin_transaction()
        self._write(producer, topic, pool, count)
        _flush(producer)

        def show() -> None:
            producer.commit_transaction(TIMEOUT)

        return show

    def producer(self, more: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  (it has no types)
        """Return a producer."""
        return Producer({**self._client, "compression.type": "lz4", "linger.ms": 20, **(more or {})})

    def start_at(self, group: str, topic: str, offset: int) -> None:
        """Set a group's offset of partition 0."""
        with closing(self._consumer(group)) as consumer:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)

    def members(self, group: str) -> int:
        """The number of the group's members once all have their partitions, or 0 before."""
        try:
            found = self._admin.describe_consumer_groups([group])[group].result(TIMEOUT)
        except KafkaException:  # the group does not exist yet
            return 0
        return len(found.members) if found.state == ConsumerGroupState.STABLE else 0

    def ends(self, topic: str) -> Callable[[], int]:
        """Return a function for the sum of the partitions' end offsets, including transaction markers."""
        places = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(self._leaders(topic))}
        last = -1

        def end() -> int:
            nonlocal last
            found = self._admin.list_offsets(places, isolation_level=IsolationLevel.READ_COMMITTED)
            with suppress(KafkaException):  # a busy broker may lose the partition for a moment
                last = sum(place.result(TIMEOUT).offset for place in found.values())
            return last

        return end

    def read(self, topic: str, check: OutputCheck) -> OutputTopic:
        """Read a whole output topic, and pass its values to the check."""
        output = OutputTopic()
        unfinished = set(range(self._leaders(topic)))
        with closing(self._consumer("reader")) as consumer:
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in unfinished])
            deadline = time.monotonic() + 10 * TIMEOUT
            while unfinished:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic} could not be read to its end")
                _take(consumer.consume(10_000, timeout=0.05), output, unfinished, check)
        return output

    def reader(self, topic: str) -> Any:  # noqa: ANN401  (it has no types)
        """Return a read_committed reader of a new topic with low latency."""
        consumer = self._consumer("reader")
        consumer.assign([TopicPartition(topic, number, 0) for number in range(self._leaders(topic))])
        return consumer

    def _write(self, producer: Any, topic: str, pool: Sequence[GeneratedRecord], count: int) -> None:  # noqa: ANN401
        partitions = self._leaders(topic)
        for index, record in enumerate(islice(cycle(pool), count)):
            while True:
                try:
                    producer.produce(topic, record.value, record.key, index % partitions)
                    break
                except BufferError:
                    producer.poll(0.1)

    def _is_ready(self, topic: str, partitions: int) -> bool:
        """Whether each partition has a leader that knows it."""
        try:
            return self._leaders(topic) == partitions and self.ends(topic)() == 0
        except KafkaException:
            return False

    def _leaders(self, topic: str) -> int:
        found = self._admin.list_topics(topic, timeout=TIMEOUT).topics[topic]
        return sum(partition.leader >= 0 for partition in found.partitions.values())

    def _consumer(self, group: str) -> Any:  # noqa: ANN401  (it has no types)
        return Consumer(
            {
                **self._client,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "fetch.queue.backoff.ms": 5,
            }
        )


def _flush(producer: Any) -> None:  # noqa: ANN401  (it has no types)
    if producer.flush(TIMEOUT):
        raise TimeoutError("the input could not be written")


def _take(messages: list[Any], output: OutputTopic, unfinished: set[int], check: OutputCheck) -> None:
    good = [message for message in messages if not message.error()]
    for message in messages:
        if message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  (its public name)
                raise KafkaException(message.error())
            unfinished.discard(message.partition())
    if good:
        by_partition: defaultdict[int, list[bytes | None]] = defaultdict(list)
        for message in good:
            by_partition[message.partition()].append(message.value())
        for partition, values in by_partition.items():
            check.add(partition, values)
        times = [message.timestamp()[1] for message in good]
        output.first = min(output.first, min(times) / 1000)
        output.last = max(output.last, max(times) / 1000)
        output.per_second.update(time // 1000 for time in times)
