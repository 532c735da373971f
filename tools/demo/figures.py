"""Counts what tools.verify reads for the demo, and keeps the latest records for the screen."""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence

import msgspec
from confluent_kafka import Message

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.output_record import TAG
from tools.demo.view import Pair, Snapshot
from tools.verify.findings import Findings, total
from tools.verify.gap import Record
from tools.verify.records import Expectation

_RATE_OVER = 2.0  # seconds
_SHORTEST = 0.1  # seconds: no rate is taken over less
_PAIRS_KEPT = 100  # more than fit on a screen


class Figures(Expectation):
    """What the demo shows; every record that tools.verify compares passes here."""

    def __init__(self, source: str, target: TopicFacts) -> None:
        super().__init__(source, target)
        self.records_in = 0
        self.records_out = 0
        self.malformed: Counter[str] = Counter()
        self.device_types: Counter[tuple[str, str]] = Counter()
        self.pairs: deque[Pair] = deque(maxlen=_PAIRS_KEPT)
        self._counts: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)])  # seconds, records in, records out
        self._inputs: defaultdict[int, deque[tuple[Message, Record]]] = defaultdict(deque)
        self._outputs: defaultdict[int, deque[Record]] = defaultdict(deque)

    def expected(self, messages: Sequence[Message]) -> list[Record]:
        """Map input records, and count them."""
        records = super().expected(messages)
        self.records_in += len(records)
        for message, record in zip(messages, records, strict=True):
            self._inputs[message.partition()].append((message, record))
            self._pair(message.partition())
        return records

    def found(self, messages: Sequence[Message]) -> list[Record]:
        """Take output records as they are, and count them."""
        records = super().found(messages)
        self.records_out += len(records)
        for message, record in zip(messages, records, strict=True):
            if reason := _reason(record):
                self.malformed[reason] += 1
            self._outputs[message.partition()].append(record)
            self._pair(message.partition())
        return records

    def snapshot(self, state: str, seconds: float) -> Snapshot:
        """Return the figures this many seconds after the start; the rates are those of the last two seconds."""
        self._counts.append((seconds, self.records_in, self.records_out))
        while self._counts[1][0] < seconds - _RATE_OVER:
            self._counts.popleft()
        since, records_in, records_out = self._counts[0]
        return Snapshot(
            state=state,
            seconds=seconds,
            records_in=self.records_in,
            records_out=self.records_out,
            rate_in=(self.records_in - records_in) / max(_SHORTEST, seconds - since),
            rate_out=(self.records_out - records_out) / max(_SHORTEST, seconds - since),
            malformed=self.malformed,
            device_types=self.device_types,
            pairs=self.pairs,
        )

    def _pair(self, partition: int) -> None:
        """Keep an input with its output for the screen; it stops at a difference, which tools.verify counts."""
        inputs, outputs = self._inputs[partition], self._outputs[partition]
        while inputs and outputs and inputs[0][1] == outputs[0]:
            message, record = inputs.popleft()[0], outputs.popleft()
            before, reason = message.value(), _reason(record)
            self.pairs.append(Pair(partition, message.offset(), record.key, before, record.value, reason))
            if reason is None and before is not None and record.value is not None:
                self.device_types[_device_type(before), _device_type(record.value)] += 1


def missing(findings: Mapping[int, Findings]) -> int:
    """How many records are lost, duplicated, reordered, wrong or not processed."""
    counts = total(findings)
    return sum(counts.values()) - counts["checked"]


def _reason(record: Record) -> str | None:
    """Why a record is tagged as malformed; None if it is not."""
    tags = [value for name, value in record.headers or () if name == TAG]
    return tags[-1].decode(errors="replace") if tags and tags[-1] else None


class _Login(msgspec.Struct):
    device_type: str


_login = msgspec.json.Decoder(_Login)


def _device_type(value: bytes) -> str:
    try:
        return _login.decode(value).device_type
    except (ValueError, RecursionError):
        return "?"
