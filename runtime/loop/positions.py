"""Decides where to read each assigned partition from: the committed offset, or AUTO_OFFSET_RESET.

librdkafka would also apply `auto.offset.reset` to an offset that is out of range, at any time: `latest` would then skip
all remaining records. So its reset is off, and each case is decided here.
"""

from collections import Counter
from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition
from loguru import logger
from quixstreams.internal_consumer import InternalConsumer

from runtime import limits
from runtime.connect.topic_ids import TopicIds
from runtime.errors import Misconfigured
from runtime.loop.commit import retry_while_coordinator_moves
from runtime.observe.counters import Place

_SET_OFFSET = "kafka-consumer-groups --reset-offsets"


class Positions:
    """The next offset of each partition after the last commit.

    Args:
        consumer: gives committed and available offsets, and is moved to others.
        reset: AUTO_OFFSET_RESET.
    """

    def __init__(self, consumer: InternalConsumer, reset: str) -> None:
        self._consumer = consumer
        self._committed = retry_while_coordinator_moves(consumer.committed)
        self._reset = reset
        self.expired: Counter[Place] = Counter()
        """The records that expired unread."""
        self._next: dict[Place, int] = {}
        self._handled: dict[Place, int] = {}
        self.topic_ids: TopicIds
        """Set when the topics are open."""

    def __str__(self) -> str:
        return ", ".join(
            f"{topic}[{number}]@{max(offset, 0)}" for (topic, number), offset in sorted(self._next.items())
        )

    def committed(self) -> Mapping[Place, int]:
        """Give the next offset after the last commit of each assigned partition (negative if there was none)."""
        return self._next

    def handled(self) -> dict[Place, int]:
        """Give the offset after the last handled record of each assigned partition (negative if it is not known)."""
        committed, handled = self._next, dict(self._handled)
        return {place: handled.get(place, offset) for place, offset in list(committed.items())}

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Set the start offset of each partition, in place.

        Raises:
            Misconfigured: one has no committed offset, and AUTO_OFFSET_RESET is `error`.
            KafkaException: the broker did not give the committed offsets.
        """
        by_partition = {(place.topic, place.partition): place for place in self._ask_group(partitions)}
        for place in partitions:
            place.offset = self._start_offset(by_partition[place.topic, place.partition])
        self._next = {(place.topic, place.partition): place.offset for place in partitions}

    def revoke(self) -> None:
        """Forget all partitions: another worker may have them."""
        self._next = {}

    def handle(self, topic: str, partition: int, offset: int) -> None:
        """Note the offset after the last handled record of a partition."""
        self._handled[topic, partition] = offset

    def commit(self) -> None:
        """Note that all handled records are committed."""
        self._next.update((place, offset) for place, offset in self._handled.items() if place in self._next)
        self._handled.clear()

    def are_committed(self) -> bool:
        """Whether the group has the offsets after all handled records.

        Raises:
            KafkaException: the broker did not give them.
        """
        return all(
            not self.topic_ids.is_of_another_topic(place)
            and place.offset >= self._handled[place.topic, place.partition]
            for place in self._ask_group([TopicPartition(*place) for place in self._handled])
        )

    def read_again(self) -> None:
        """Move the consumer back to the last commit. The records taken since are read again."""
        self._handled.clear()
        if self._next:
            self._consumer.assign([TopicPartition(*place, offset) for place, offset in self._next.items()])

    def out_of_range(self, topic: str, partition: int) -> None:
        """Decide where to continue if the broker has no record at this partition's offset.

        Raises:
            Misconfigured: the topic was created again, the offset is past the end, or the records expired and
                AUTO_OFFSET_RESET is `error`.
        """
        self.topic_ids.check_now()
        offset = self._next.get((topic, partition), OFFSET_BEGINNING)
        if offset == OFFSET_BEGINNING:
            return
        place = f"{topic}[{partition}]"
        low, high = self._consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=limits.COMMITTED_OFFSETS_TIMEOUT
        )
        if offset > high:
            raise Misconfigured(
                f"the group's offset {offset} of {place} is past the end of the topic, {high}: its log may have been "
                "truncated, or a backup restored. An earlier offset may write records twice, a later one may skip "
                f"some; set the offset with {_SET_OFFSET}"
            )
        if offset >= low:
            return
        expired = f"{low - offset} records of {place} expired unread, from offset {offset} to {low - 1}"
        if self._reset == "error":
            raise Misconfigured(f"{expired}, and AUTO_OFFSET_RESET is error: set the offset with {_SET_OFFSET}")
        logger.warning("{}: check the retention of {}; continuing at offset {}", expired, topic, low)
        self.expired[topic, partition] += low - offset
        self._next[topic, partition] = low

    def _ask_group(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Get the offsets that the group has committed.

        Raises:
            KafkaException: the broker did not give them.
        """
        committed = self._committed(partitions=partitions, timeout=limits.COMMITTED_OFFSETS_TIMEOUT) or []
        for place in committed:
            if place.error is not None:
                raise KafkaException(place.error)
        return committed

    def _start_offset(self, committed: TopicPartition) -> int:
        place = f"{committed.topic}[{committed.partition}]"
        if committed.offset >= 0:
            if not self.topic_ids.is_of_another_topic(committed):
                return int(committed.offset)
            logger.warning(
                "the group's offset {} of {} belongs to a deleted topic of the same name; reading the new one from its "
                "beginning",
                *(committed.offset, place),
            )
            return int(OFFSET_BEGINNING)
        if self._reset == "error":
            raise Misconfigured(
                f"the group has no offset for {place}, and AUTO_OFFSET_RESET is error: set the offset with "
                f"{_SET_OFFSET}, or change AUTO_OFFSET_RESET"
            )
        if self._reset == "latest":
            partition = TopicPartition(committed.topic, committed.partition)
            return int(self._consumer.get_watermark_offsets(partition, timeout=limits.COMMITTED_OFFSETS_TIMEOUT)[1])
        return int(OFFSET_BEGINNING)
