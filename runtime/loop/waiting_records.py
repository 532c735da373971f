"""Keeps records that were taken from the consumer and are not handled yet."""

from collections import deque
from collections.abc import Iterable

from confluent_kafka import Message


class WaitingRecords:
    """A queue for each partition, served in turns: all partitions advance, even if the output topic is slow."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[Message]] = {}
        self.bytes = 0
        """The size of their values."""

    def __bool__(self) -> bool:
        return bool(self._queues)

    def partitions(self) -> list[int]:
        """The partitions that have some."""
        return list(self._queues)

    def add(self, messages: Iterable[Message]) -> None:
        """Append records to the queues."""
        for message in messages:
            self._queues.setdefault(message.partition(), deque()).append(message)
            self.bytes += len(message)

    def put_back(self, messages: list[Message]) -> None:
        """Return the records taken last, in their order, to the front of the queues."""
        for message in reversed(messages):
            self._queues.setdefault(message.partition(), deque()).appendleft(message)
            self.bytes += len(message)

    def take(self, count: int) -> list[Message]:
        """Take at most `count` records, an equal share of each partition. The first partitions are last next time."""
        share = max(1, count // len(self._queues))
        taken: list[Message] = []
        for partition in list(self._queues):
            queue = self._queues.pop(partition)
            taken += [queue.popleft() for _ in range(min(share, len(queue), count - len(taken)))]
            if queue:
                self._queues[partition] = queue
            if len(taken) == count:
                break
        self.bytes -= sum(map(len, taken))
        return taken

    def clear(self) -> None:
        """Drop all records."""
        self._queues.clear()
        self.bytes = 0
