"""The list of rows: the title, the number of faults and the load of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faults.plan import Plan
from faults.report import RowReport
from faults.rows import (
    brokers,
    changes,
    disks,
    hostile,
    kills,
    late,
    leaders,
    network,
    pairs,
    pauses,
    quotas,
    recreated,
    soak,
    stops,
)
from tools.broker.node import QUICK_START, STEADY


@dataclass(frozen=True)
class FaultRow:
    """One row.

    Attributes:
        title: what is done.
        count: how many faults a full run has.
        rate: records per second of the load.
        run: runs it.
        jvm: the brokers' options.
        every: seconds between two bursts of the load.
    """

    title: str
    count: int
    rate: float
    run: Callable[[Plan], RowReport]
    jvm: Sequence[str] = STEADY
    every: float = 0.01


ROWS = {
    "1": FaultRow("exactly-once, 3 workers, SIGKILL one every 2-15 s", 300, 1500, kills.exactly_once),
    "1b": FaultRow("the same without an INSTANCE_ID, SIGKILL one every 20-40 s", 60, 1000, kills.nameless),
    "2": FaultRow("at-least-once, 3 workers, SIGKILL one every 2-15 s", 300, 1500, kills.at_least_once),
    "3": FaultRow(
        "three brokers: leader, group and transaction coordinator killed",
        30,
        600,
        brokers.one_of_three,
        QUICK_START,
        0.03,
    ),
    "4": FaultRow("all brokers away for 60 s, for 200 s, absent at start", 3, 1000, brokers.all_away, every=0.1),
    "5": FaultRow("SIGSTOP a worker for 5, 30, 50, 70 s", 20, 1000, pauses.workers, every=0.1),
    "6": FaultRow("network: 200 ms, 5 % lost, black hole 10, 60, 180 s, reset", 20, 1000, network.network, every=0.1),
    "7": FaultRow("workers 1 -> 4 -> 2 -> 1, every 10 s", 100, 1000, stops.scaling),
    "8": FaultRow("SIGTERM, a third within 5 s of the start", 100, 1000, stops.terminated),
    "9": FaultRow("hostile values: the corpus, the size limit, mutants", 1_000_000, 5000, hostile.values),
    "10": FaultRow("soak: memory, files and threads stay flat", 0, 20_000, soak.soak),
    "11": FaultRow("broker frozen (SIGSTOP) with a backlog", 20, 0, pauses.broker),
    "12": FaultRow(
        "partitions added, input deleted, disk full, clock stepped by 1 h", 3, 500, changes.changes, every=0.1
    ),
    "13": FaultRow("late requests of an earlier transaction", 50, 400, late.named, every=0.1),
    "13b": FaultRow("the same without an INSTANCE_ID", 50, 400, late.nameless, every=0.1),
    "14": FaultRow("two faults at once, drawn at random", 100, 300, pairs.pairs, QUICK_START, 0.1),
    "15": FaultRow("partitions reassigned to other brokers", 20, 300, leaders.moves, QUICK_START, 0.1),
    "16": FaultRow("quota of 50,000 bytes/s switched on and off", 20, 300, quotas.quotas, every=0.1),
    "17": FaultRow("one worker cut off from one broker for 10 to 90 s", 20, 300, leaders.cuts, QUICK_START, 0.1),
    "18": FaultRow("one log directory of a broker fails", 5, 300, disks.disks, QUICK_START, 0.1),
    "19": FaultRow("input deleted and created again", 20, 500, recreated.recreated, every=0.1),
}
