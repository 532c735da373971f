"""The list of rows: the title, what runs it, and the number of faults and the load of a full run."""

from collections.abc import Callable
from typing import NamedTuple

from faults.plan import Plan
from faults.report import RowReport
from faults.rows import (
    brokers,
    changes,
    hostile,
    late,
    leaders,
    network,
    pairs,
    recreated,
    soak,
    workers,
)
from tools.broker.node import STEADY


class FaultRow(NamedTuple):
    """One row. `plan` is that of a full run, except for the seed."""

    title: str
    run: Callable[[Plan], RowReport]
    plan: Plan


def _steady(count: int, rate: float, every: float = 0.01) -> Plan:
    """A plan for one broker, which runs for long enough to become fast."""
    return Plan(count, rate=rate, every=every, jvm=STEADY)


ROWS = {
    "1": FaultRow("exactly-once, 3 workers, SIGKILL one every 2-15 s", workers.exactly_once, _steady(300, 1500)),
    "1b": FaultRow(
        "the same without an INSTANCE_ID, SIGKILL one every 20-40 s", workers.without_instance_id, _steady(60, 1000)
    ),
    "2": FaultRow("at-least-once, 3 workers, SIGKILL one every 2-15 s", workers.at_least_once, _steady(300, 1500)),
    "3": FaultRow(
        "three brokers: leader, group and transaction coordinator killed",
        brokers.one_of_three,
        Plan(30, rate=600, every=0.03),
    ),
    "4": FaultRow(
        "all brokers away for 60 s, for 200 s, absent at start", brokers.all_away, _steady(3, 1000, every=0.1)
    ),
    "5": FaultRow("SIGSTOP a worker for 5, 30, 50, 70 s", workers.frozen, _steady(20, 1000, every=0.1)),
    "6": FaultRow(
        "network: 200 ms, 5 % lost, black hole 10, 60, 180 s, reset", network.network, _steady(20, 1000, every=0.1)
    ),
    "7": FaultRow("workers 1 -> 4 -> 2 -> 1, every 10 s", workers.scaling, _steady(100, 1000)),
    "8": FaultRow("SIGTERM, a third within 5 s of the start", workers.terminated, _steady(100, 1000)),
    "9": FaultRow("hostile values: the corpus, the size limit, mutants", hostile.values, _steady(1_000_000, 5000)),
    "10": FaultRow("soak: memory, files and threads stay flat", soak.soak, _steady(0, 20_000)),
    "11": FaultRow("broker frozen (SIGSTOP) with a backlog", brokers.frozen, _steady(20, 0)),
    "12": FaultRow(
        "partitions added, input deleted, disk full, clock stepped by 1 h", changes.changes, _steady(3, 500, every=0.1)
    ),
    "13": FaultRow("late requests of an earlier transaction", late.with_instance_id, _steady(50, 400, every=0.1)),
    "13b": FaultRow("the same without an INSTANCE_ID", late.without_instance_id, _steady(50, 400, every=0.1)),
    "14": FaultRow("two faults at once, drawn at random", pairs.pairs, Plan(100, rate=300, every=0.1)),
    "15": FaultRow("partitions reassigned to other brokers", leaders.moves, Plan(20, rate=300, every=0.1)),
    "16": FaultRow("quota of 50,000 bytes/s switched on and off", network.quotas, _steady(20, 300, every=0.1)),
    "17": FaultRow("one worker cut off from one broker for 10 to 90 s", leaders.cuts, Plan(20, rate=300, every=0.1)),
    "18": FaultRow("one log directory of a broker fails", brokers.disks, Plan(5, rate=300, every=0.1)),
    "19": FaultRow("input deleted and created again", recreated.recreated, _steady(20, 500, every=0.1)),
}
