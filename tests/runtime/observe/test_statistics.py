"""The problems found in librdkafka's statistics."""

import json
from collections.abc import Collection
from typing import Any

import pytest

from runtime import limits
from runtime.observe.counters import Share
from runtime.observe.statistics import ProducerQueue, Progress
from tests.runtime.clock import Clock

UNKNOWN = -1001
AT_END = {
    "partition": 0,
    "fetch_state": "active",
    "leader": 1,
    "fetchq_cnt": 0,
    "next_offset": 11,
    "app_offset": 10,
    "hi_offset": 11,
    "ls_offset": 11,
}
"""A partition whose last entry, a transaction's marker, is no record: the next offset is behind it."""


def statistics(*partitions: dict[str, Any], join_state: str = "steady", idle: tuple[float, ...] = (0.3,)) -> str:
    """Statistics of a consumer, shortened. `idle` is how long ago, in seconds, each broker said something."""
    states = {str(partition["partition"]): partition for partition in partitions}
    states["-1"] = {**AT_END, "fetch_state": "none", "leader": -1, "partition": -1}
    return json.dumps(
        {
            "name": "rdkafka#consumer-1",
            "brokers": {f"broker:{number}": {"rxidle": int(age * 1e6)} for number, age in enumerate(idle)},
            "topics": {"user-login": {"age": 1, "partitions": states}},
            "cgrp": {"state": "up", "join_state": join_state},
        }
    )


def new_progress(clock: Clock, handled: dict[int, int]) -> Progress:
    """Progress of a worker that has handled the partitions up to these offsets."""
    progress = Progress(clock, lambda: 1_700_000_000.0 + clock.now)
    progress.positions = lambda: {("user-login", number): offset for number, offset in handled.items()}
    return progress


def problems_after(seconds: float, first: str, *later: str) -> list[str]:
    """What is wrong, if the statistics are these, and so many seconds lie between the first and the last of them."""
    clock = Clock()
    start = clock.now
    progress = new_progress(clock, dict.fromkeys(range(4), -1))
    progress.take(first)
    for number, text in enumerate(later, 1):
        clock.now = start + seconds * number / len(later)
        progress.take(text)
    return progress.problems()


def test_before_the_first() -> None:
    """Without statistics, no partition can have been assigned."""
    assert Progress().problems() == ["the consumer group is not joined yet"]


@pytest.mark.parametrize("join_state", ["init", "wait-join", "wait-sync", "wait-assign-call", "wait-unassign-call"])
def test_joining(join_state: str) -> None:
    """While the group shares out its partitions, it is not ready."""
    (problem,) = problems_after(1, statistics(), statistics(AT_END, join_state=join_state))
    assert join_state in problem


@pytest.mark.parametrize(
    ("idle", "named"),
    [
        ((0.0,), None),
        ((limits.BROKER_SILENT_AFTER,), None),
        ((limits.BROKER_SILENT_AFTER + 1,), "no broker has answered for 16 s"),
        ((limits.BROKER_SILENT_AFTER + 1, 0.1), None),
        ((limits.BROKER_SILENT_AFTER + 1, 40.0), "no broker has answered for 16 s"),
        ((-1e-6, 0.1), None),
        ((-1e-6, 50.0), "no broker has answered for 50 s"),
    ],
)
def test_silence(idle: tuple[float, ...], named: str | None) -> None:
    """It is not ready if no broker has answered for some time. One that never answered (-1) does not count."""
    clock = Clock()
    progress = Progress(clock)
    clock.now += 100.0
    progress.take(statistics(AT_END, idle=idle))
    assert progress.problems() == ([named] if named else [])


def test_no_connection() -> None:
    """Without a connection (-1), the time since the last answer counts, with and without new statistics."""
    clock = Clock()
    progress = Progress(clock)
    clock.now += 100.0
    progress.take(statistics(AT_END, idle=(0.5,)))
    clock.now += 1.0
    progress.take(statistics(AT_END, idle=(-1e-6,)))
    clock.now += limits.BROKER_SILENT_AFTER - 1.5
    assert progress.problems() == []
    clock.now += 1.0
    assert progress.problems() == ["no broker has answered for 16 s"]
    progress.take(statistics(AT_END, idle=(-1e-6, -1e-6)))
    assert progress.problems() == ["no broker has answered for 16 s"]
    progress.take(statistics(AT_END, idle=(-1e-6, 0.0)))
    assert progress.problems() == []


WAITING = [
    pytest.param({"next_offset": 9}, id="more to fetch"),
    pytest.param({"fetchq_cnt": 3}, id="fetched and not taken"),
    pytest.param({"leader": -1}, id="no leader"),
    pytest.param({"fetch_state": "offset-query"}, id="where to begin is not known"),
    pytest.param({"fetch_state": "offset-wait", "next_offset": UNKNOWN, "ls_offset": UNKNOWN}, id="nothing is known"),
]
CONTENT = [
    pytest.param({}, id="at the end"),
    pytest.param({"hi_offset": 20}, id="behind it, a transaction of the input is open"),
    pytest.param({"next_offset": 0, "app_offset": UNKNOWN, "ls_offset": 0}, id="empty"),
    pytest.param({"next_offset": 0, "app_offset": UNKNOWN, "ls_offset": UNKNOWN}, id="not fetched yet"),
    pytest.param({"fetch_state": "stopped", "fetchq_cnt": 1, "next_offset": 3}, id="another worker's"),
]


@pytest.mark.parametrize("changes", WAITING)
def test_stalled(changes: dict[str, Any]) -> None:
    """A partition with waiting records that makes no progress is named after limits.STALLED_AFTER."""
    standing = statistics(AT_END | {"partition": 1}, AT_END | changes | {"partition": 3})
    offset = changes.get("next_offset", 11)
    lag = {9: 2, UNKNOWN: 0}.get(offset, changes.get("fetchq_cnt", 0))
    assert problems_after(limits.STALLED_AFTER, standing, standing) == []
    assert problems_after(limits.STALLED_AFTER + 1, standing, standing) == [
        f"partition 3 stalled at offset {offset}, lag {lag}, for {limits.STALLED_AFTER + 1:.0f} s"
    ]


@pytest.mark.parametrize("changes", CONTENT)
def test_nothing_to_do(changes: dict[str, Any]) -> None:
    """A partition without waiting records is never stalled."""
    standing = statistics(AT_END | changes)
    assert problems_after(10 * limits.STALLED_AFTER, standing, standing) == []


@pytest.mark.parametrize("member", ["next_offset", "app_offset"])
def test_moving(member: str) -> None:
    """A partition that moves, however slowly and far behind, is not stalled."""
    behind = [statistics(AT_END | {"ls_offset": 1000, member: offset}) for offset in range(3)]
    assert problems_after(1.9 * limits.STALLED_AFTER, *behind) == []


@pytest.mark.parametrize(
    "between", [statistics(AT_END), statistics(), statistics(AT_END | {"fetch_state": "stopped"})], ids=str
)
def test_time_is_reset(between: str) -> None:
    """The time without progress starts at 0 after the end was reached, or after another worker had the partition."""
    behind = statistics(AT_END | {"ls_offset": 1000})
    assert problems_after(1.9 * limits.STALLED_AFTER, behind, between, behind) == []


@pytest.mark.parametrize(
    ("changes", "handled", "taken", "lag"),
    [
        pytest.param({"app_offset": 11}, 10, (), 0, id="only a marker is left, and fetched"),
        pytest.param({}, 11, (), 0, id="at the end"),
        pytest.param({}, 8, [0], 3, id="taken and not handled"),
        pytest.param({}, 11, [1], 0, id="taken from another partition"),
        pytest.param({"next_offset": 9}, 5, (), 6, id="not fetched"),
        pytest.param({"fetchq_cnt": 4}, 5, (), 6, id="fetched and not taken"),
        pytest.param({"fetchq_cnt": 1}, 11, (), 0, id="handled since the statistics"),
        pytest.param({"hi_offset": 20}, 10, (), 0, id="behind it, a transaction of the input is open"),
        pytest.param({"fetchq_cnt": 3, "next_offset": 7}, -2, (), 7, id="nothing handled yet"),
        pytest.param({"next_offset": UNKNOWN, "ls_offset": UNKNOWN}, 5, (), 0, id="nothing known"),
    ],
)
def test_lag(changes: dict[str, Any], handled: int, taken: Collection[int], lag: int) -> None:
    """Lag counts the records up to the end that are not handled, and is 0 if none waits. Revoked partitions vanish."""
    positions = {0: handled}
    progress = new_progress(Clock(), positions)
    progress.taken = lambda: taken
    assert progress.partitions() == []
    progress.take(statistics(AT_END | changes, AT_END | {"partition": 1}))
    (state,) = progress.partitions()
    assert (state.topic, state.partition, state.lag_records) == ("user-login", 0, lag)
    positions.clear()
    assert progress.partitions() == []


def test_lag_in_seconds() -> None:
    """Lag in seconds counts from the last handled record's timestamp, or from when none waited if that is later."""
    clock = Clock()
    positions = {0: 5}
    progress = new_progress(clock, positions)
    behind = statistics(AT_END | {"next_offset": 9, "app_offset": 5})

    def lag(seconds: float = 0.0, statistic: str | None = None) -> float:
        clock.now += seconds
        if statistic:
            progress.take(statistic)
        return progress.partitions()[0].lag_seconds

    assert lag(0, behind) == 0
    assert lag(7) == 7, "none is handled: since the first statistics"
    timestamp = int((1_700_000_000 + clock.now - 100) * 1000)
    positions[0] = 6
    progress.handle({("user-login", 0): Share(1, timestamp - 5000, timestamp, 6)})
    assert lag(1, behind) == pytest.approx(101)
    positions[0] = 11
    assert lag(50) == 0, "all are handled"
    assert lag(50, statistics(AT_END)) == 0
    assert lag(3, statistics(AT_END | {"ls_offset": 15})) == pytest.approx(3), "a record after a pause"


def test_stalled_seconds() -> None:
    """The time without progress counts while records wait, also without new statistics. A batch resets it."""
    clock = Clock()
    positions = {0: 5}
    progress = new_progress(clock, positions)
    waiting = statistics(AT_END | {"next_offset": 9, "app_offset": 5})
    progress.take(waiting)
    clock.now += limits.STALLED_AFTER + 1
    assert progress.partitions()[0].stalled_seconds == limits.STALLED_AFTER + 1
    progress.take(waiting)
    assert progress.state() == "stalled: partition 0 at offset 5"
    progress.handle({("user-login", 0): Share(1, 0, 0, 6)})
    positions[0] = 6
    assert progress.partitions()[0].stalled_seconds == 0
    assert progress.state() == "running"
    clock.now += 2
    assert progress.partitions()[0].stalled_seconds == 2
    positions[0] = 11
    assert progress.partitions()[0].stalled_seconds == 0


def test_state() -> None:
    """The state is in words: waiting for the group, silent brokers, running."""
    clock = Clock()
    progress = new_progress(clock, {0: 11})
    assert progress.state() == "waiting for the group"
    progress.take(statistics(AT_END, join_state="wait-sync"))
    assert progress.state() == "waiting for the group"
    progress.take(statistics(AT_END))
    assert progress.state() == "running"
    clock.now += limits.BROKER_SILENT_AFTER + 1
    assert progress.state() == "no broker has answered for 16 s"
    progress.take("no JSON")
    assert progress.state().startswith("cannot read librdkafka's statistics: ")


def test_producer_queue() -> None:
    """The producer's statistics give the records that it holds."""
    queue = ProducerQueue()
    assert (queue.records, queue.bytes) == (0, 0)
    queue.take('{"msg_cnt": 3, "msg_size": 70, "name": "rdkafka#producer-2"}')
    assert (queue.records, queue.bytes) == (3, 70)


@pytest.mark.parametrize("text", ["", "{}", '{"brokers": {}}', "no JSON", statistics().replace("rxidle", "idle")])
def test_unreadable(text: str) -> None:
    """Statistics of another shape never stop the pipeline: it is just not ready, and says why."""
    (problem,) = problems_after(1, statistics(AT_END), text)
    assert problem.startswith("cannot read librdkafka's statistics: ")
