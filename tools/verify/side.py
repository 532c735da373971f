"""One side of a partition: what was read of it and waits for the other side; pure."""

from collections.abc import Sequence

from tools.verify.gap import Record


class Side:
    """What was read of one side of a partition and is not compared yet."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.records: list[Record] = []
        self.values: list[bytes | None] = []
        self.taken = 0

    def __len__(self) -> int:
        return len(self.records)

    def add(self, offsets: Sequence[int], records: Sequence[Record], values: Sequence[bytes | None] = ()) -> None:
        """Take the next records, and the values that they were made of if those are wanted later."""
        self.values += values
        self.offsets += offsets
        self.records += records

    def take(self, count: int) -> list[tuple[int, Record]]:
        """Let go of the first records; give them with their offsets."""
        taken = list(zip(self.offsets[:count], self.records[:count], strict=True))
        self.drop(count)
        return taken

    def drop(self, count: int) -> None:
        """Let go of the first records."""
        del self.offsets[:count], self.records[:count], self.values[:count]
        self.taken += count
