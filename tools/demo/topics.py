"""Reads the demo's two topics, and checks that every record came through as the transforms have it."""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tools.demo.view import Pair, Snapshot
from transforms import FirstTransform, Malformed

BATCH = 10_000
"""The most records that are read at once."""

_ANSWER_WITHIN = 10.0  # seconds
_RATE_OVER = 2.0  # seconds
_SHORTEST = 0.1  # seconds: no rate is taken over less
_PAIRS_KEPT = 100  # more than fit on a screen
_QUIET = {"log_level": 0}  # nothing of librdkafka's may write across the screen

Ends = Mapping[tuple[str, int], int]
"""The offset at which each partition of each topic ends."""


class Record(NamedTuple):
    """What the pipeline must keep of a record, or change as told; `reason` is its tag's, None where it has none."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    reason: str | None


class _Partition(NamedTuple):
    """What has not been paired yet: inputs as (offset, value, expected output), and outputs."""

    inputs: deque[tuple[int, bytes | None, Record]]
    outputs: deque[Record]


class Comparison:
    """Holds the output against what the transform makes of the input, in the order of each partition."""

    def __init__(self, transform: FirstTransform) -> None:
        self.records_in = 0
        self.records_out = 0
        self.malformed: Counter[str] = Counter()
        self.device_types: Counter[tuple[str, str]] = Counter()
        self.pairs: deque[Pair] = deque(maxlen=_PAIRS_KEPT)
        self._counts: deque[tuple[float, int, int]] = deque([(0.0, 0, 0)])  # seconds, records in, records out
        self._transform = transform
        self._partitions: defaultdict[int, _Partition] = defaultdict(lambda: _Partition(deque(), deque()))

    def add_input(self, partition: int, offset: int, record: Record) -> None:
        """Take the input topic's next record of a partition."""
        self.records_in += 1
        result = self._transform(record.value)
        value, reason = (result.value, str(result.reason)) if isinstance(result, Malformed) else (result, None)
        expected = record._replace(value=value, reason=reason)
        self._partitions[partition].inputs.append((offset, record.value, expected))
        self._pair(partition)

    def add_output(self, partition: int, record: Record) -> None:
        """Take the output topic's next record of a partition; it may be read before its input is."""
        self.records_out += 1
        if record.reason is not None:
            self.malformed[record.reason] += 1
        self._partitions[partition].outputs.append(record)
        self._pair(partition)

    def lost(self) -> int:
        """How many of the records read are missing, wrong, too many or out of order in the output."""
        return sum(map(_lost, self._partitions.values()))

    def snapshot(self, state: str, seconds: float) -> Snapshot:
        """Give the figures so many seconds after the start; the rates are those of the last two seconds."""
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
        """Let go of what came through as it should; from the first record on that did not, all is kept for `lost`."""
        inputs, outputs = self._partitions[partition]
        while inputs and outputs and inputs[0][2] == outputs[0]:
            offset, before, _ = inputs.popleft()
            record = outputs.popleft()
            self.pairs.append(Pair(partition, offset, record.key, before, record.value, record.reason))
            if record.reason is None and before is not None and record.value is not None:
                self.device_types[_device_type(before), _device_type(record.value)] += 1


def _lost(partition: _Partition) -> int:
    """Count a wrong record, which is one missing and one too many, once; and a wrong order as one."""
    expected, found = Counter(record for _, _, record in partition.inputs), Counter(partition.outputs)
    return max((expected - found).total(), (found - expected).total(), min(1, found.total()))


class _Login(msgspec.Struct):
    device_type: str


_login = msgspec.json.Decoder(_Login)


def _device_type(value: bytes) -> str:
    try:
        return _login.decode(value).device_type
    except (ValueError, RecursionError):
        return "?"


class Topics:
    """The demo's two topics, made anew and read from their beginnings, as any read_committed reader sees them.

    Args:
        address: the broker's.
        names: of the input and the output topic.
        partitions: of each.
        comparison: where every record read goes.

    Raises:
        KafkaException: the broker did not make them.
    """

    def __init__(self, address: str, names: tuple[str, str], partitions: int, comparison: Comparison) -> None:
        broker = {"bootstrap.servers": address, **_QUIET}
        self._admin = AdminClient(broker)
        for future in self._admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
            future.result(_ANSWER_WITHIN)
        self._input = names[0]
        self._comparison = comparison
        self._read_to: dict[tuple[str, int], int] = {}
        reader = {"group.id": "demo", "enable.auto.commit": False, "enable.partition.eof": True}
        self._consumer = Consumer({**broker, **reader, "isolation.level": "read_committed"})
        self._partitions = [(name, partition) for name in names for partition in range(partitions)]
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._partitions])

    def read(self, seconds: float) -> None:
        """Read what there is within this time; less if there is very much."""
        for message in self._consumer.consume(BATCH, seconds):
            self._take(message)

    def ends(self) -> Ends:
        """Ask where the partitions end by now.

        Raises:
            KafkaException: the broker does not answer.
        """
        latest = {TopicPartition(*place): OffsetSpec.latest() for place in self._partitions}
        committed = {"isolation_level": IsolationLevel.READ_COMMITTED, "request_timeout": _ANSWER_WITHIN}
        found = self._admin.list_offsets(latest, **committed)
        return {(place.topic, place.partition): future.result().offset for place, future in found.items()}

    def are_read_to(self, ends: Ends) -> bool:
        """Whether all has been read up to there."""
        return all(self._read_to.get(place, -1) >= end for place, end in ends.items())

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _take(self, message: Message) -> None:
        if message.error() is None:
            self._compare(message)
        elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (a public code)
            self._read_to[message.topic(), message.partition()] = message.offset()

    def _compare(self, message: Message) -> None:
        tags = [value for name, value in message.headers() or () if name == "malformed"]
        reason = tags[-1].decode(errors="replace") if tags and tags[-1] else None
        record = Record(message.key(), message.value(), message.timestamp()[1], reason)
        if message.topic() == self._input:
            self._comparison.add_input(message.partition(), message.offset(), record)
        else:
            self._comparison.add_output(message.partition(), record)
