"""Finds problems in librdkafka's statistics: of the group, the brokers and each partition.

The loop receives the statistics once a second: https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from runtime import limits

_UNASSIGNED = {"none", "stopping", "stopped"}


class _Partition(Struct):
    fetch_state: str
    leader: int
    fetchq_cnt: int
    next_offset: int
    app_offset: int
    ls_offset: int

    @property
    def lag(self) -> int:
        """Records that wait: fetched ones and those of the broker, including markers of transactions."""
        return self.fetchq_cnt + max(0, self.ls_offset - self.next_offset)

    @property
    def position(self) -> tuple[int, int]:
        """It changes when records are fetched or handled."""
        return self.next_offset, self.app_offset

    def has_waiting(self) -> bool:
        """Whether records wait, or the partition cannot be fetched; an open transaction of the input does not count."""
        is_fetching = self.fetch_state == "active" and self.leader >= 0
        return not is_fetching or self.fetchq_cnt > 0 or self.next_offset < self.ls_offset


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


class Progress:
    """The problems that the consumer's statistics show.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decoder = Decoder(_Statistics, strict=False)
        self._latest: _Statistics | str = "the consumer group is not joined yet"
        self._partitions: dict[int, tuple[_Partition, float]] = {}  # with the time since when they make no progress
        self._answered = clock()

    @property
    def consumer_config(self) -> dict[str, Any]:
        """The consumer's configuration for statistics."""
        return {"statistics.interval.ms": 1_000, "stats_cb": self.take}

    def take(self, text: str) -> None:
        """Take the consumer's statistics, as JSON; unreadable ones are a problem."""
        try:
            self._latest = self._decoder.decode(text)
        except MsgspecError as error:
            self._latest = f"cannot read librdkafka's statistics: {error}"
            return
        now, partitions = self._clock(), {}
        # Without a connection, there is no rxidle.
        idle = [broker.rxidle / 1e6 for broker in self._latest.brokers.values() if broker.rxidle >= 0]
        self._answered = max([self._answered, *(now - seconds for seconds in idle)])
        for topic in self._latest.topics.values():
            for number, partition in topic.partitions.items():
                if partition.fetch_state not in _UNASSIGNED:
                    last, since = self._partitions.get(number, (partition, now))
                    is_stuck = partition.position == last.position and partition.has_waiting()
                    partitions[number] = (partition, since if is_stuck else now)
        self._partitions = partitions  # as a whole: another thread reads it

    def problems(self) -> list[str]:
        """Why this worker processes no records, one line each; empty if it does, or has no partition."""
        latest = self._latest
        if isinstance(latest, str):
            return [latest]
        if latest.cgrp.join_state != "steady":
            return [f"the consumer group is rebalancing ({latest.cgrp.join_state})"]
        now = self._clock()
        if now - self._answered > limits.BROKER_SILENT_AFTER:
            return [f"no broker has answered for {now - self._answered:.0f} s"]
        return [
            f"partition {number} stalled at offset {state.next_offset}, lag {state.lag}, for {now - since:.0f} s"
            for number, (state, since) in sorted(self._partitions.items())
            if now - since > limits.STALLED_AFTER
        ]

    def lag(self, committed: Mapping[int, int]) -> tuple[int, int]:
        """Give the number of this worker's partitions, and of their records that are not committed.

        Args:
            committed: the offset after the last commit, by partition; negative if it is not known.
        """
        lags = [
            max(0, state.ls_offset - committed[number]) if committed.get(number, -1) >= 0 else state.lag
            for number, (state, _) in self._partitions.items()
        ]
        return len(lags), sum(lags)
