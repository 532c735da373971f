"""Rows 3 and 4: brokers that die or go away."""

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from faults.plan import Plan
from faults.report import Goal, Report
from faults.trial import PATIENCE, SOURCE, TARGET, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS
from tools.broker.embedded import Broker

STALL = 30.0
"""Seconds that output may stand still when one of three brokers dies, or after all have come back."""
ABSENT_WITHIN = 35.0
"""Seconds in which a worker that finds no broker at its start has to say so."""
AWAY, LONG_AWAY = 60.0, 200.0
"""Seconds without any broker."""

_WORKERS = 3
_STOP_WITHIN = 30.0  # seconds for a broker to stop cleanly
_ABSENT_CODE = 69
_ENDS = {_ABSENT_CODE, 70}  # the latter where an open transaction was lost


def one_of_three(plan: Plan) -> Report:
    """Row 3; a third as many clean restarts on top."""
    with Trial(plan, nodes=3) as trial:
        trial.crew.start(_WORKERS)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(plan.count):
            topic, role = ((TARGET, "partition leader"), (GROUPS, "group coordinator"), (TRANSACTIONS, "transaction"))[
                number % 3
            ]
            partition = trial.random.choice(trial.partitions) if topic == TARGET else 0
            node = trial.cluster.leader(topic, partition)
            node.kill()
            trial.fault(f"SIGKILL of the {role.removesuffix(' coordinator')}'s broker")
            _back(trial, node)
            trial.say(f"{number + 1}/{plan.count} kills")
        for number in range(max(1, plan.count // 3)):
            node = trial.random.choice(trial.cluster.nodes)
            trial.fault("clean restart")
            begin = time.monotonic()
            meanwhile(trial, partial(node.stop, _STOP_WITHIN))
            assert time.monotonic() - begin < _STOP_WITHIN, "the broker did not stop by itself"
            trial.reader.mark()
            _back(trial, node)
            trial.say(f"{number + 1} clean restarts")
        report = trial.report("3", "three brokers, one at a time killed")
    report.times.append(Goal("longest stall, s", report.longest_stall, STALL))
    return report


def _back(trial: Trial, node: Broker) -> None:
    """Wait until output flows, start the broker again, and wait until it has all that the others have."""
    assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow without it"
    meanwhile(trial, node.start)
    assert trial.until(lambda: in_sync(trial), PATIENCE), "the broker does not catch up"
    trial.wait(trial.random.uniform(1.0, 5.0) * trial.plan.pace)


def meanwhile(trial: Trial, action: Callable[[], None]) -> None:
    """Do something that takes a while, minding the workers."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(action)
        assert trial.until(done.done, PATIENCE)
        done.result()


def in_sync(trial: Trial) -> bool:
    """Whether each broker has all records of its partitions."""
    found = trial.admin.list_topics(timeout=10).topics.values()
    partitions = [partition for topic in found for partition in topic.partitions.values()]
    return all(len(partition.isrs) == len(partition.replicas) for partition in partitions)


def all_away(plan: Plan) -> Report:
    """Row 4; `count` times each of the three."""
    absent, went_on = [], 0
    resumed: dict[float, list[float]] = {AWAY: [], LONG_AWAY: []}
    with Trial(plan) as trial:
        trial.crew.start(_WORKERS)
        trial.load()
        trial.wait_for_output()
        for number in range(plan.count):
            for seconds, after in resumed.items():
                lived, took = _away(trial, seconds * plan.pace)
                went_on += lived if seconds == LONG_AWAY else 0
                after.append(took)
            absent.append(_absent(trial))
            trial.say(f"{number + 1}/{plan.count} of each, resumed {[after[-1] for after in resumed.values()]}")
        report = trial.report("4", "all brokers away for 60 s, for 200 s, absent at start", ends=_ENDS)
    for seconds, after in resumed.items():
        report.figures[f"resumed after {seconds:g} s without a broker, s at most"] = max(after)
        report.times.append(Goal(f"resumed after {seconds:g} s without a broker, s", max(after), STALL))
    report.goals.append(Goal(f"workers that did not end in {LONG_AWAY:g} s without a broker", went_on, 0))
    report.figures |= {"absent at start: ended after, s at most": max(seconds for seconds, _ in absent)}
    report.goals.append(Goal("absent at start: without one clear line and exit 69", sum(not ok for _, ok in absent), 0))
    report.times.append(Goal("absent at start: ended after, s", max(seconds for seconds, _ in absent), ABSENT_WITHIN))
    return report


def _away(trial: Trial, seconds: float) -> tuple[int, float]:
    """Take all brokers away for a while; how many workers lived through it, and the seconds until output flows."""
    before = trial.crew.workers.copy()
    trial.cluster.kill()
    trial.fault(f"no broker for {seconds:g} s", resume=False)
    trial.wait(seconds)
    lived = sum(worker.running for worker in before)
    meanwhile(trial, trial.cluster.start)
    trial.reader.mark()
    begin = time.monotonic()
    assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow again"
    trial.wait(3.0)
    return lived, time.monotonic() - begin - 3.0


def _absent(trial: Trial) -> tuple[float, bool]:
    """Start a worker where there is no broker; the seconds until it ended, and whether it did so as it has to."""
    trial.fault("no broker at the start", resume=False)
    nowhere = {"Quix__Broker__Address": "127.0.0.1:9", "input": SOURCE}
    (worker,) = trial.crew.start(1, nowhere)
    worker.expected = True
    try:
        code = worker.process.wait(120)
    except subprocess.TimeoutExpired:
        return 120.0, False
    errors = [line for line in worker.log.read_text().splitlines() if "ERROR" in line or "Traceback" in line]
    clear = len(errors) == 1 and "Quix__Broker__Address" in errors[0]
    return time.monotonic() - worker.started, code == _ABSENT_CODE and clear
