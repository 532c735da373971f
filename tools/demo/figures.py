"""Counts what tools.verify reads for the demo, and keeps the latest records for the screen."""

import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from confluent_kafka import Message

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.output_record import TAG
from tools.demo.change import Pair
from tools.demo.view import Board
from tools.verify.gap import Record
from tools.verify.records import Expectation

LATENCY_OVER = 10  # seconds


class Figures(Expectation):
    """What the demo shows. Every record that tools.verify compares passes here.

    The latency of a record is the time from its timestamp until it was read, read_committed, from the output topic.
    `clock` returns seconds since the epoch.
    """

    def __init__(self, target: TopicFacts, board: Board, clock: Callable[[], float] = time.time) -> None:
        super().__init__(target)
        self._board, self._clock = board, clock
        self._latencies: deque[Counter[int]] = deque([Counter()], LATENCY_OVER)  # milliseconds, for each second
        self._last_second = (-math.inf, 0, 0)  # when it ended, and the records in and out until then
        self._inputs: defaultdict[int, deque[tuple[Message, Record]]] = defaultdict(deque)
        self._outputs: defaultdict[int, deque[Record]] = defaultdict(deque)

    def expected(self, messages: Sequence[Message]) -> list[Record]:
        """Map input records, and keep the latest ones."""
        records = super().expected(messages)
        for message, record in zip(messages, records, strict=True):
            self._inputs[message.partition()].append((message, record))
            self._pair(message.partition())
        return records

    def found(self, messages: Sequence[Message]) -> list[Record]:
        """Take output records as they are, and count them."""
        records = super().found(messages)
        self._board.records_out += len(records)
        now = self._clock() * 1000
        self._latencies[-1].update(max(0, int(now - (record.timestamp or now))) for record in records)
        for message, record in zip(messages, records, strict=True):
            if reason := _reason(record):
                self._board.malformed[reason] += 1
            self._outputs[message.partition()].append(record)
            self._pair(message.partition())
        return records

    def update(self, now: float) -> None:
        """Once a second, take the rates and the latency. `now` is in seconds, monotonic."""
        board, (end, earlier_in, earlier_out) = self._board, self._last_second
        if (passed := now - end) >= 1:
            board.rates.append(((board.records_in - earlier_in) / passed, (board.records_out - earlier_out) / passed))
            self._last_second = (now, board.records_in, board.records_out)
            board.latency = _percentile(sum(self._latencies, Counter()), 0.99)
            self._latencies.append(Counter())

    def _pair(self, partition: int) -> None:
        """Keep an input with its output for the screen. It stops at a difference, which tools.verify counts."""
        inputs, outputs = self._inputs[partition], self._outputs[partition]
        while inputs and outputs and inputs[0][1] == outputs[0]:
            message, record = inputs.popleft()[0], outputs.popleft()
            place = (partition, message.offset())
            self._board.pairs.append(Pair(*place, record.key, message.value(), record.value, _reason(record)))


def _percentile(milliseconds: Mapping[int, int], share: float) -> float | None:
    """The percentile in seconds, or None if there is no record."""
    found = sorted(milliseconds)
    so_far = list(accumulate(milliseconds[one] for one in found))
    return next((one / 1000 for one, count in zip(found, so_far, strict=True) if count >= share * so_far[-1]), None)


def _reason(record: Record) -> str | None:
    """Why a record is tagged as malformed, or None if it is not."""
    tags = [value for name, value in record.headers or () if name == TAG]
    return tags[-1].decode(errors="replace") if tags and tags[-1] else None
