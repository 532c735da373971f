"""One side of a partition: the records that wait to be compared; pure."""

from collections.abc import Sequence

from tools.verify.gap import Record


class Side:
    """The records of one side that are not compared yet."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.records: list[Record] = []
        self.values: list[bytes | None] = []
        self.taken = 0

    def __len__(self) -> int:
        return len(self.records)

    def add(self, offsets: Sequence[int], records: Sequence[Record], values: Sequence[bytes | None] = ()) -> None:
        """Add the next records, and the values of their inputs if those are needed later."""
        self.values += values
        self.offsets += offsets
        self.records += records

    def take(self, count: int) -> list[tuple[int, Record]]:
        """Remove the first records; return them with their offsets."""
        taken = list(zip(self.offsets[:count], self.records[:count], strict=True))
        self.drop(count)
        return taken

    def drop(self, count: int) -> None:
        """Remove the first records."""
        del self.offsets[:count], self.records[:count], self.values[:count]
        self.taken += count
