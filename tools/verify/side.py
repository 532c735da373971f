"""One side of a partition: the records that wait to be compared. It does no I/O."""

from collections.abc import Callable, Sequence

from confluent_kafka import Message

from tools.verify.gap import Record

OnDrop = Callable[[Sequence[Message], Sequence[Record]], None]


class Side:
    """The records of one side that are not compared yet.

    Args:
        on_drop: called with the messages of the records that are removed, and with these records.
    """

    def __init__(self, on_drop: OnDrop | None = None) -> None:
        self.offsets: list[int] = []
        self.records: list[Record] = []
        self.messages: list[Message] = []
        self.taken = 0
        self._on_drop = on_drop

    def __len__(self) -> int:
        return len(self.records)

    def add(self, offsets: Sequence[int], records: Sequence[Record], messages: Sequence[Message] = ()) -> None:
        """Add the next records, and their inputs if those are needed later."""
        self.messages += messages
        self.offsets += offsets
        self.records += records

    def take(self, count: int) -> list[tuple[int, Record]]:
        """Remove the first records, and return them with their offsets."""
        taken = list(zip(self.offsets[:count], self.records[:count], strict=True))
        self.drop(count)
        return taken

    def drop(self, count: int) -> None:
        """Remove the first records."""
        self.notify(count)
        del self.offsets[:count], self.records[:count], self.messages[:count]
        self.taken += count

    def notify(self, count: int) -> None:
        """Call `on_drop` for the first records."""
        if self._on_drop:
            self._on_drop(self.messages[:count], self.records[:count])
