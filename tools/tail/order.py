"""Finds a topic's last records, those since a time and new ones, and gives them in order of time."""

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from loguru import logger

from runtime.connect.topic_facts import TopicFacts
from runtime.errors import Misconfigured
from runtime.explain import TOPIC_SETTINGS
from tools.tail.records import TopicReader, TopicRecord
from tools.verify.topics import Topics

READER = {"queued.min.messages": 2_000, "queued.max.messages.kbytes": 4_096}
"""librdkafka's settings: what is read ahead is lost when the next partition is read."""

FURTHEST = 1_000_000
"""How far back the last records are looked for: this many offsets, shared by the partitions."""

_FIRST_SPAN, _WIDER = 100, 8  # offsets of each partition; how many times more are read if those are not enough
_LONG = 10_000  # offsets; reading more takes a while
_MEMORY = 33_554_432  # bytes of records that wait for their turn, shared by the partitions
_PAUSE = 0.1  # seconds
_SO_FAR = "found {} of {} records in the last {} offsets of each partition; {}"


class TopicTail:
    """The records of a topic that are wanted, in order of time.

    The records of a partition keep their order: one with an earlier time than the one before it comes right after that.
    """

    def __init__(self, topics: Topics, facts: TopicFacts, is_wanted: Callable[[TopicRecord], bool]) -> None:
        self._topics, self._facts, self._is_wanted = topics, facts, is_wanted
        self._reader = TopicReader(topics, facts)
        self._at: dict[int, int] = {}
        self.has_given_up = False
        """Whether `last` looked at FURTHEST offsets, and there are earlier ones."""

    def last(self, count: int) -> Iterable[TopicRecord]:
        """Return the last `count` records.

        They are fewer, with a warning, if the last FURTHEST offsets do not have as many.
        """
        begins, ends = self._bounds()
        self._at = dict(ends)
        most = max(count, FURTHEST // len(ends))
        span = min(2 * count + _FIRST_SPAN, most)
        while count:
            starts = {number: max(begins[number], end - span) for number, end in ends.items()}
            found: deque[TopicRecord] = deque(maxlen=count)
            first: dict[int, int] = {}
            for record in self._in_order(starts, ends):
                first.setdefault(record.partition, record.timestamp)
                if self._is_wanted(record):
                    found.append(record)
            cut = [first.get(number, math.inf) for number, start in starts.items() if start > begins[number]]
            if not cut or (len(found) == count and found[0].timestamp >= max(cut)):
                return found
            if span == most:
                self.has_given_up = True
                logger.warning(_SO_FAR, len(found), count, span, "to read from an earlier time, use --from")
                return found
            logger.log("DEBUG" if span < _LONG else "INFO", _SO_FAR, len(found), count, span, "reading further back")
            span = min(span * _WIDER, most)
        return []

    def since(self, timestamp: int, count: int | None) -> Iterable[TopicRecord]:
        """Return the records from this timestamp on, in milliseconds: all, or the last `count` of them."""
        _, ends = self._bounds()
        self._at = dict(ends)
        starts = {}
        for number, end in ends.items():
            start = self._topics.from_time(self._facts, number, timestamp)
            starts[number] = end if start is None else start
        found = self._wanted(starts, ends)
        return found if count is None else deque(found, maxlen=count)

    def new(self) -> Iterator[TopicRecord]:
        """Return the records that come after those of `last` or `since`, without end."""
        while True:
            begins, ends = self._bounds()
            starts = {number: self._at.get(number, begins[number]) for number in ends}
            if all(starts[number] >= end for number, end in ends.items()):
                time.sleep(_PAUSE)
            yield from self._wanted(starts, ends)
            self._at = dict(ends)

    def _bounds(self) -> tuple[dict[int, int], dict[int, int]]:
        """The present first and end offsets by partition."""
        numbers = range(self._topics.partitions(self._facts))
        if not numbers:
            raise Misconfigured(f'Topic "{self._facts.name}" does not exist any more; correct {TOPIC_SETTINGS}')
        return self._topics.begins(self._facts, numbers), self._topics.ends(self._facts, numbers)

    def _wanted(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[TopicRecord]:
        return filter(self._is_wanted, self._in_order(starts, ends))

    def _in_order(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[TopicRecord]:
        """The records of these ranges."""
        size = _MEMORY // len(ends)
        partitions = (self._partition(number, starts[number], end, size) for number, end in ends.items())
        return heapq.merge(*partitions, key=lambda record: record.timestamp)

    def _partition(self, number: int, at: int, end: int, size: int) -> Iterator[TopicRecord]:
        while at < end:
            records, at = self._reader.some(number, at, end, size)
            yield from records
