"""Where a comparison begins in the input."""

from typing import NamedTuple

from tools.verify.topics import TopicPair


class Begin(NamedTuple):
    """Where to begin in the input: at a timestamp in milliseconds, or a number of offsets before the end."""

    timestamp: int | None = None
    last: int | None = None

    def offset(self, topics: TopicPair, number: int, first: int, end: int) -> int:
        """Return the offset to begin at in an input partition from `first` to `end`."""
        if self.last is not None:
            return max(first, end - self.last)
        if self.timestamp is not None:
            found = topics.from_time(topics.source, number, self.timestamp)
            return end if found is None else found
        return first


EVERYTHING = Begin()
