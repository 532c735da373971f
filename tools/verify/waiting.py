"""Keeps records that are on one side only until the other has them, a million in little memory; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice


@dataclass(eq=False, slots=True)
class Open:
    """A record on one side only."""

    partition: int
    offset: int
    time: int | None
    key: int | None
    target: int | None
    """The output partition that its key calls for; only of inputs."""
    timeless: int | None
    """The digest without the timestamp; only of outputs, and of inputs whose timestamp, 0, becomes another."""
    next: "Open | None" = None
    """The one after it that is equal."""


class Waiting:
    """The records of one side that wait for the other, by their digests; of equal ones, the first goes first."""

    def __init__(self) -> None:
        self._first: dict[int, Open] = {}
        self._last: dict[int, Open] = {}  # only where several are equal: a container for each record takes too much
        self.count = 0

    def add(self, digest: int, one: Open) -> None:
        """Let a record wait."""
        first = self._first.setdefault(digest, one)
        if first is not one:
            self._last.get(digest, first).next = one
            self._last[digest] = one
        self.count += 1

    def pop(self, digest: int) -> Open | None:
        """Take out the first record of this digest, if there is one."""
        one = self._first.get(digest)
        if one is None:
            return None
        if one.next:
            self._first[digest], one.next = one.next, None
        else:
            del self._first[digest]
            self._last.pop(digest, None)
        self.count -= 1
        return one

    def oldest(self, count: int) -> list[tuple[int, Open]]:
        """Take out so many of the oldest, with their digests; one at a time would look for the first anew each time."""
        digests = list(islice(self._first, count))
        return [(digest, one) for digest in digests if (one := self.pop(digest))]

    def __iter__(self) -> Iterator[tuple[int, Open]]:
        for digest, one in self._first.items():
            waiting: Open | None = one
            while waiting:
                yield digest, waiting
                waiting = waiting.next
