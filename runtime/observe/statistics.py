"""Finds lag and problems in librdkafka's statistics: of the group, the brokers and each partition.

The loop receives the statistics once a second: https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from runtime import limits
from runtime.observe.counters import Place, Share

_NOT_JOINED = "the consumer group is not joined yet"
_UNASSIGNED = {"none", "stopping", "stopped"}


class _Partition(Struct):
    fetch_state: str
    leader: int
    fetchq_cnt: int
    next_offset: int
    app_offset: int
    ls_offset: int

    def lag(self, handled: int) -> int:
        """Records that are not handled, and markers of transactions, if some wait.

        Args:
            handled: the offset after the last handled record; negative if it is not known.
        """
        if handled < 0:
            return self.fetchq_cnt + max(0, self.ls_offset - self.next_offset)
        return max(0, self.ls_offset - handled)

    @property
    def position(self) -> tuple[int, int]:
        """It changes when records are fetched or handled."""
        return self.next_offset, self.app_offset

    def is_fetching(self) -> bool:
        """Whether the partition can be fetched."""
        return self.fetch_state == "active" and self.leader >= 0

    def has_waiting(self) -> bool:
        """Whether records wait at the broker or are fetched. An open transaction of the input does not count."""
        return self.next_offset < self.ls_offset or self.fetchq_cnt > 0


class _Topic(Struct):
    partitions: dict[int, _Partition]


class _Broker(Struct):
    rxidle: int  # microseconds since its last answer; -1 before the first, or without a connection


class _Group(Struct):
    join_state: str


class _Statistics(Struct):
    brokers: dict[str, _Broker]
    topics: dict[str, _Topic]
    cgrp: _Group


class _ProducerStatistics(Struct):
    msg_cnt: int
    msg_size: int


class _Moved(NamedTuple):
    """The last progress of a partition."""

    at: float
    """When records were fetched or handled, or none waited, by the clock."""
    timestamp: float
    """The timestamp of the last handled record, or the time since which none waited if that is later. In seconds."""


class AssignedPartition(NamedTuple):
    """What is known of one of this worker's partitions."""

    topic: str
    partition: int
    offset: int
    """The offset after the last handled record (negative if it is not known)."""
    lag_records: int
    lag_seconds: float
    stalled_seconds: float


class Progress:
    """The lag and the problems that the consumer's statistics show.

    Args:
        clock: seconds, monotonic.
        now: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock, self._now = clock, now
        self._decoder = Decoder(_Statistics, strict=False)
        self._latest: _Statistics | str = _NOT_JOINED
        self._partitions: dict[Place, _Partition] = {}
        self._moved: dict[Place, _Moved] = {}
        self._answered = clock()
        self.positions: Callable[[], Mapping[Place, int]] = dict
        """Gives the offset after the last handled record of each partition of this worker."""
        self.taken: Callable[[], Collection[int]] = tuple
        """Gives the partitions of records that the loop has taken and not handled."""

    @property
    def consumer_config(self) -> dict[str, Any]:
        """The consumer's configuration for statistics."""
        return {"statistics.interval.ms": 1_000, "stats_cb": self.take}

    def take(self, text: str) -> None:
        """Take the consumer's statistics, as JSON. Unreadable ones are a problem."""
        try:
            self._latest = self._decoder.decode(text)
        except MsgspecError as error:
            self._latest = f"cannot read librdkafka's statistics: {error}"
            return
        now, taken = self._clock(), self.taken()
        # Without a connection, there is no rxidle.
        idle = [broker.rxidle / 1e6 for broker in self._latest.brokers.values() if broker.rxidle >= 0]
        self._answered = max([self._answered, *(now - seconds for seconds in idle)])
        partitions = {
            (name, number): partition
            for name, topic in self._latest.topics.items()
            for number, partition in topic.partitions.items()
            if partition.fetch_state not in _UNASSIGNED
        }
        moved = {}
        for place, partition in partitions.items():
            moved[place] = self._moved.get(place, _Moved(now, self._now()))
            if partition.is_fetching() and not partition.has_waiting() and place[1] not in taken:
                moved[place] = _Moved(now, self._now())
            elif partition.position != self._partitions.get(place, partition).position:
                moved[place] = moved[place]._replace(at=now)
        self._partitions, self._moved = partitions, moved  # as a whole: another thread reads them

    def handle(self, shares: Mapping[Place, Share]) -> None:
        """Note the records of a batch, by partition."""
        for place, share in shares.items():
            self._moved[place] = _Moved(self._clock(), share.newest / 1000 if share.newest > 0 else self._now())

    def problems(self) -> list[str]:
        """Why this worker processes no records, one line for each reason, or nothing if it does or has no partition."""
        latest = self._latest
        if isinstance(latest, str):
            return [latest]
        if latest.cgrp.join_state != "steady":
            return [f"the consumer group is rebalancing ({latest.cgrp.join_state})"]
        now = self._clock()
        if now - self._answered > limits.BROKER_SILENT_AFTER:
            return [f"no broker has answered for {now - self._answered:.0f} s"]
        return [
            f"partition {state.partition} stalled at offset {state.offset}, lag {state.lag_records}, for "
            f"{state.stalled_seconds:.0f} s"
            for state in self._stalled()
        ]

    def state(self) -> str:
        """What this worker does, in a few words."""
        latest = self._latest
        if latest == _NOT_JOINED or (isinstance(latest, _Statistics) and latest.cgrp.join_state != "steady"):
            return "waiting for the group"
        for partition in self._stalled():
            return f"stalled: partition {partition.partition} at offset {partition.offset}"
        return next(iter(self.problems()), "running")

    def partitions(self) -> list[AssignedPartition]:
        """Give the state of each of this worker's partitions, as far as statistics have named it."""
        positions, moved, taken = self.positions(), self._moved, self.taken()
        return [
            self._state(place, partition, positions[place], moved[place], is_taken=place[1] in taken)
            for place, partition in sorted(self._partitions.items())
            if place in positions and place in moved
        ]

    def _stalled(self) -> list[AssignedPartition]:
        return [state for state in self.partitions() if state.stalled_seconds > limits.STALLED_AFTER]

    def _state(
        self, place: Place, partition: _Partition, handled: int, moved: _Moved, *, is_taken: bool
    ) -> AssignedPartition:
        lag = partition.lag(handled) if is_taken or partition.has_waiting() else 0
        return AssignedPartition(
            *place,
            offset=handled if handled >= 0 else partition.next_offset,
            lag_records=lag,
            lag_seconds=max(0.0, self._now() - moved.timestamp) if lag else 0.0,
            stalled_seconds=self._clock() - moved.at if lag or not partition.is_fetching() else 0.0,
        )


class ProducerQueue:
    """The records that the producer holds, as its statistics show them."""

    def __init__(self) -> None:
        self.records = 0
        self.bytes = 0
        self._decoder = Decoder(_ProducerStatistics)

    @property
    def producer_config(self) -> dict[str, Any]:
        """The producer's configuration for statistics."""
        return {"statistics.interval.ms": 1_000, "stats_cb": self.take}

    def take(self, text: str) -> None:
        """Take the producer's statistics, as JSON."""
        statistics = self._decoder.decode(text)
        self.records, self.bytes = statistics.msg_cnt, statistics.msg_size
