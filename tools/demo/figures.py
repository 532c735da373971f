"""Counts what tools.verify reads for the demo, and keeps the latest records for the screen."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise

from confluent_kafka import Message

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.output_record import TAG
from tools.demo.change import Pair
from tools.verify.gap import Record
from tools.verify.records import Expectation

LATENCY_OVER = 10
"""Seconds over which the latency is taken."""

_SECONDS_KEPT = 200  # more than fit on a screen
_PAIRS_KEPT = 100  # the same


class Figures(Expectation):
    """What the demo shows; every record that tools.verify compares passes here.

    The latency of a record is the time from its timestamp until it was read, read_committed, from the output topic.

    Args:
        source: the input topic.
        target: the output topic.
        clock: seconds since the epoch.
    """

    def __init__(self, source: str, target: TopicFacts, clock: Callable[[], float] = time.time) -> None:
        super().__init__(source, target)
        self.records_out = 0
        self.malformed: Counter[str] = Counter()
        self.pairs: deque[Pair] = deque(maxlen=_PAIRS_KEPT)
        self.latency: float | None = None
        self._clock = clock
        self._latencies: deque[Counter[int]] = deque([Counter()], LATENCY_OVER)  # milliseconds, for each second
        self._marks: deque[tuple[float, int, int]] = deque(maxlen=_SECONDS_KEPT)  # time, records in, records out
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
        self.records_out += len(records)
        now = self._clock() * 1000
        self._latencies[-1].update(max(0, int(now - (record.timestamp or now))) for record in records)
        for message, record in zip(messages, records, strict=True):
            if reason := _reason(record):
                self.malformed[reason] += 1
            self._outputs[message.partition()].append(record)
            self._pair(message.partition())
        return records

    def rates(self, now: float, records_in: int) -> list[tuple[float, float]]:
        """Return the records per second, in and out, of each second so far; once a second, take the latency.

        Args:
            now: seconds, monotonic.
            records_in: how many records the input has.
        """
        if not self._marks or now >= self._marks[-1][0] + 1:
            self._marks.append((now, records_in, self.records_out))
            self.latency = _percentile(sum(self._latencies, Counter()), 0.99)
            self._latencies.append(Counter())
        return [
            ((one[1] - last[1]) / (one[0] - last[0]), (one[2] - last[2]) / (one[0] - last[0]))
            for last, one in pairwise(self._marks)
        ]

    def _pair(self, partition: int) -> None:
        """Keep an input with its output for the screen; it stops at a difference, which tools.verify counts."""
        inputs, outputs = self._inputs[partition], self._outputs[partition]
        while inputs and outputs and inputs[0][1] == outputs[0]:
            message, record = inputs.popleft()[0], outputs.popleft()
            self.pairs.append(
                Pair(partition, message.offset(), record.key, message.value(), record.value, _reason(record))
            )


def _percentile(milliseconds: Mapping[int, int], share: float) -> float | None:
    """In seconds; None if there is no record."""
    found = sorted(milliseconds)
    so_far = list(accumulate(milliseconds[one] for one in found))
    return next((one / 1000 for one, count in zip(found, so_far, strict=True) if count >= share * so_far[-1]), None)


def _reason(record: Record) -> str | None:
    """Why a record is tagged as malformed; None if it is not."""
    tags = [value for name, value in record.headers or () if name == TAG]
    return tags[-1].decode(errors="replace") if tags and tags[-1] else None
