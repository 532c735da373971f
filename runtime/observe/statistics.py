"""Whether the records flow: what librdkafka's statistics say of the group, the broker and each partition.

The statistics come once a second, by way of the loop: https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md
"""

import time
from collections.abc import Callable
from typing import Any

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from runtime import limits

_NOT_OURS = {"none", "stopping", "stopped"}


class _Partition(Struct):
    fetch_state: str
    leader: int
    fetchq_cnt: int
    next_offset: int
    app_offset: int
    ls_offset: int

    def has_waiting(self) -> bool:
        """Whether there is something to do, beyond a transaction of the input that is still open."""
        is_at_work = self.fetch_state == "active" and self.leader >= 0
        return not is_at_work or self.fetchq_cnt > 0 or self.next_offset < self.ls_offset


class _Topic(Struct):
    partitions: dict[int, _Partition]


class _Broker(Struct):
    rxidle: int  # microseconds since it last said something; -1 where it never did


class _Group(Struct):
    join_state: str


class _Statistics(Struct):
    brokers: dict[str, _Broker]
    topics: dict[str, _Topic]
    cgrp: _Group


class Progress:
    """What the consumer's statistics say is wrong, if anything."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._decoder = Decoder(_Statistics, strict=False)
        self._latest: _Statistics | str = "the group has not been joined yet"
        self._moved: dict[int, tuple[tuple[int, int], float]] = {}

    @property
    def consumer_config(self) -> dict[str, Any]:
        """What the consumer needs in its configuration for this."""
        return {"statistics.interval.ms": 1_000, "stats_cb": self.take}

    def take(self, text: str) -> None:
        """Take the consumer's statistics, JSON; what can't be read counts as not there."""
        try:
            self._latest = self._decoder.decode(text)
        except MsgspecError as error:
            self._latest = f"librdkafka's statistics can't be read: {error}"
            return
        now, moved = self._clock(), {}
        for topic in self._latest.topics.values():
            for number, partition in topic.partitions.items():
                if partition.fetch_state not in _NOT_OURS:
                    place = (partition.next_offset, partition.app_offset)
                    last_place, since = self._moved.get(number, (place, now))
                    stands = place == last_place and partition.has_waiting()
                    moved[number] = (place, since if stands else now)
        self._moved = moved  # at once: another thread reads it

    def problems(self) -> list[str]:
        """Why this worker is not at work, a line each; none where it is, or stands by without a partition."""
        latest = self._latest
        if isinstance(latest, str):
            return [latest]
        if latest.cgrp.join_state != "steady":
            return [f"the group is sharing out its partitions ({latest.cgrp.join_state})"]
        idle = min((broker.rxidle / 1e6 for broker in latest.brokers.values() if broker.rxidle >= 0), default=0.0)
        if idle > limits.BROKER_SILENT_AFTER:
            return [f"no broker has answered for {idle:.0f} s"]
        now = self._clock()
        return [
            f"partition {number} has stood at offset {offset} for {now - since:.0f} s while records wait"
            for number, ((offset, _), since) in sorted(self._moved.items())
            if now - since > limits.STALLED_AFTER
        ]
