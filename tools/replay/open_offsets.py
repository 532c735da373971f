"""Which dead letters of one reason, in one partition, were not sent back yet, as a committed offset tells it.

None before the offset is open. The commit's metadata have the topic's id. If later dead letters were sent, the metadata
also have, in turns, how many offsets are open and how many are not, from the committed one on.
"""

from bisect import bisect_right

from runtime.connect.topic_ids import NO_ID

_MARK = "topic-id:"
_END = 2**63 - 1
_MOST_METADATA = 4_000  # characters; a broker takes 4096 (offset.metadata.max.bytes)
_LONGEST_NUMBER = 20  # digits and a space


def is_of_topic(metadata: str, topic_id: str) -> bool:
    """Whether an offset with these metadata was committed for the topic with this id, as far as they tell."""
    return topic_id == NO_ID or metadata.split()[:1] in ([], [_MARK + topic_id], [_MARK + NO_ID])


class FullError(Exception):
    """The metadata of a commit cannot tell more ranges."""


class OpenOffsets:
    """The offsets that are open: each dead letter of the reason there can still be sent back.

    The dead letters are visited in order, from the first open offset on: each is sent or left.

    Args:
        first: the committed offset.
        metadata: its metadata.

    Raises:
        ValueError: the metadata is not what `committed` gives.
    """

    def __init__(self, first: int, metadata: str = "") -> None:
        mark, *numbers = metadata.split() or [_MARK]
        if not mark.startswith(_MARK):
            raise ValueError("not of replay")
        self._ranges: list[tuple[int, int]] = []
        at = first
        for open_size, sent_size in zip(numbers[::2], numbers[1::2], strict=True):
            self._ranges.append((at, at + int(open_size)))
            at += int(open_size) + int(sent_size)
        self._ranges.append((at, _END))
        self._visited = first
        self._was_left = False

    @property
    def first(self) -> int:
        """The first open offset."""
        return self._ranges[0][0]

    def __contains__(self, offset: int) -> bool:
        index = bisect_right(self._ranges, (offset, _END)) - 1
        return index >= 0 and offset < self._ranges[index][1]

    def begin(self, offset: int) -> None:
        """Start to visit at this offset, not at the first open one. What is before it remains open."""
        self._visited, self._was_left = offset, offset > self.first

    def leave(self, offset: int) -> None:
        """Keep an open offset open."""
        if not self._was_left:
            self._close(offset)
        self._visited, self._was_left = offset + 1, True

    def send(self) -> None:
        """Close the next open offset, and those before it since the last one that was left.

        Raises:
            FullError: there is no room to tell it.
        """
        if self._was_left and len(self._metadata()) + 2 * _LONGEST_NUMBER > _MOST_METADATA:
            raise FullError
        self._was_left = False

    def committed(self, at: int, topic_id: str) -> tuple[int, str]:
        """Give the offset and the metadata to commit if all before `at` were visited."""
        if not self._was_left:
            self._close(at)
        return self.first, f"{_MARK}{topic_id} {self._metadata()}".strip()

    def _close(self, end: int) -> None:
        """Close the offsets from the first one after those that were left, up to this one."""
        begin, self._visited = self._visited, end
        parts = (part for low, high in self._ranges for part in ((low, min(high, begin)), (max(low, end), high)))
        self._ranges = [(low, high) for low, high in parts if low < high]

    def _metadata(self) -> str:
        pairs = zip(self._ranges, self._ranges[1:], strict=False)
        return " ".join(f"{high - low} {later - high}" for (low, high), (later, _) in pairs)
