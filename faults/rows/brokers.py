"""Rows 3, 4, 11 and 18: one of three brokers or all killed, one frozen (SIGSTOP), one without a log directory."""

import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.plan import Plan
from faults.report import Limit, RowReport
from faults.trial import SOURCE, TARGET, WORKERS, Trial
from tools.broker.cluster import GROUPS, TRANSACTIONS
from tools.broker.embedded import Broker
from tools.process_state import usage

STALL = 30.0
"""Seconds without output that are allowed when one of three brokers is killed, or after all are back."""
ABSENT_WITHIN = 35.0
"""Seconds in which a worker that finds no broker at its start must exit."""
AWAY, LONG_AWAY = 60.0, 200.0
"""Seconds without any broker."""
MOST_MEMORY = 256.0
"""MiB that a worker may hold while the broker is frozen."""

_STOP_WITHIN = 30.0  # seconds for a broker to stop cleanly
_ABSENT_CODE = 69
_ROLES = ((TARGET, "partition leader"), (GROUPS, "group"), (TRANSACTIONS, "transaction"))
_FROZEN = (2.0, 10.0, 20.0)  # seconds
_BACKLOG = 200_000
_PADS = (0, 1000)  # bytes; the latter compress to a hundredth
_DISKS = ("disk-1", "disk-2")
_PROPERTIES = {"log.dirs": ",".join(f"{{folder}}/{disk}" for disk in _DISKS)}


def one_of_three(plan: Plan) -> RowReport:
    """Row 3: one of three brokers is killed at a time. A third as many clean restarts follow."""
    with Trial(plan, nodes=3) as trial:
        trial.start()
        for number in trial.rounds("kills"):
            topic, role = _ROLES[number % len(_ROLES)]
            node = trial.cluster.leader(topic, trial.random.choice(trial.partitions) if topic == TARGET else 0)
            node.kill()
            trial.fault(f"SIGKILL of the {role}'s broker")
            _restart(trial, node)
        for number in range(max(1, plan.count // 3)):
            node = trial.random.choice(trial.cluster.nodes)
            trial.fault("clean restart")
            begin = time.monotonic()
            trial.during(partial(node.stop, _STOP_WITHIN))
            assert time.monotonic() - begin < _STOP_WITHIN, "the broker did not stop by itself"
            trial.reader.mark()
            _restart(trial, node)
            trial.say(f"{number + 1} clean restarts")
        report = conclude(trial)
    report.times.append(Limit("longest stall, s", report.longest_stall, STALL))
    return report


def _restart(trial: Trial, node: Broker) -> None:
    """Wait until output resumes, start the broker again, and wait until its replicas are in sync."""
    trial.wait_until_resumed()
    trial.during(node.start)
    trial.wait_for(trial.in_sync, "replicas in sync")
    trial.pause(1.0, 5.0)


def all_away(plan: Plan) -> RowReport:
    """Row 4: `count` times each of the three faults."""
    absent, survivors = [], 0
    resumed: dict[float, list[float]] = {AWAY: [], LONG_AWAY: []}
    with Trial(plan) as trial:
        trial.pool.start(WORKERS)
        trial.load()
        trial.wait_for_output()
        for _ in trial.rounds("of each"):
            for seconds, after in resumed.items():
                alive, took = _away(trial, seconds * plan.pace)
                survivors += alive if seconds == LONG_AWAY else 0
                after.append(took)
            absent.append(_absent(trial))
        report = conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)
    for seconds, after in resumed.items():
        report.figures[f"resumed after {seconds:g} s without a broker, s at most"] = max(after)
        report.times.append(Limit(f"resumed after {seconds:g} s without a broker, s", max(after), STALL))
    report.goals.append(Limit(f"workers that did not exit in {LONG_AWAY:g} s without a broker", survivors, 0))
    report.figures |= {"absent at start: exited after, s at most": max(seconds for seconds, _ in absent)}
    report.goals.append(
        Limit("absent at start: without one clear line and exit 69", sum(not ok for _, ok in absent), 0)
    )
    report.times.append(Limit("absent at start: exited after, s", max(seconds for seconds, _ in absent), ABSENT_WITHIN))
    return report


def _away(trial: Trial, seconds: float) -> tuple[int, float]:
    """Kill all brokers for a while. Return how many workers survived, and the seconds until output resumed."""
    before = trial.pool.workers.copy()
    trial.cluster.kill()
    trial.fault(f"no broker for {seconds:g} s", resume=False)
    trial.wait(seconds)
    alive = sum(worker.running for worker in before)
    trial.during(trial.cluster.start)
    begin = time.monotonic()
    trial.wait_for_new_output()
    trial.wait(3.0)
    return alive, time.monotonic() - begin - 3.0


def _absent(trial: Trial) -> tuple[float, bool]:
    """Start a worker without a broker. Return the seconds until it exited, and whether it did so correctly."""
    trial.fault("no broker at the start", resume=False)
    nowhere = {"Quix__Broker__Address": "127.0.0.1:9", "input": SOURCE}
    (worker,) = trial.pool.start(1, nowhere)
    worker.expected = True
    try:
        code = worker.process.wait(120)
    except subprocess.TimeoutExpired:
        return 120.0, False
    errors = [line for line in worker.log.read_text().splitlines() if "ERROR" in line or "Traceback" in line]
    clear = len(errors) == 1 and "Quix__Broker__Address" in errors[0]
    return time.monotonic() - worker.started, code == _ABSENT_CODE and clear


def frozen(plan: Plan) -> RowReport:
    """Row 11: each time, a new worker starts on a backlog, and the broker freezes before the backlog is processed."""
    peak, too_late, resumed = 0.0, 0, []

    def is_done(trial: Trial) -> bool:
        nonlocal peak
        peak = max(peak, _peak(trial))
        return not trial.reader.check.waiting_for(trial.sent)

    with Trial(plan, properties={"broker.session.timeout.ms": "60000"}) as trial:
        trial.follow()
        for number in trial.rounds("freezes"):
            trial.load(count=_BACKLOG, rate=0, pad=_PADS[number % len(_PADS)])
            trial.end_load()
            before = trial.reader.check.counts.checked
            trial.pool.start()
            trial.wait_for(lambda: trial.reader.check.counts.checked > before, "output")  # noqa: B023
            frozen = _FROZEN[number % len(_FROZEN)]
            trial.cluster.nodes[0].pause()
            trial.fault(f"SIGSTOP of the broker for {frozen:g} s", resume=False)
            too_late += trial.until(lambda: is_done(trial), frozen)
            trial.cluster.nodes[0].resume()
            begin = time.monotonic()
            trial.wait_for(lambda: is_done(trial), "the rest of the backlog")
            resumed.append(time.monotonic() - begin)
            trial.pool.stop()
        report = conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)
    report.figures |= {"peak memory, MiB": peak, "backlog processed after the freeze, s at most": max(resumed)}
    report.goals.append(Limit("peak memory, MiB", peak, MOST_MEMORY))
    report.goals.append(Limit("freezes after the backlog was processed", too_late, 0))
    report.longest_stall = 0.0  # nothing is sent between two backlogs
    return report


def _peak(trial: Trial) -> float:
    """The peak memory of any worker so far, in MiB."""
    found = [usage(worker.process.pid) for worker in trial.pool.workers]
    return max((each.peak for each in found if each), default=0) / (1 << 20)


def disks(plan: Plan) -> RowReport:
    """Row 18: the broker runs on with the other directory, then restarts with an empty or with the old one."""
    with Trial(plan, nodes=3, properties=_PROPERTIES) as trial:
        trial.start()
        for number in trial.rounds("directories"):
            node = trial.random.choice(trial.cluster.nodes)
            disk = node.folder / trial.random.choice(_DISKS)
            gone = disk.rename(disk.with_name("gone"))
            trial.fault("log directory gone")
            trial.wait_for(lambda: trial.in_sync() is False, "the broker to notice")
            assert node.running, "the broker has exited"
            trial.wait_until_resumed()
            trial.pause(2.0, 10.0)
            trial.during(node.stop)
            _replace(disk, gone, keep=number % 2 == 1)
            trial.during(node.start)
            trial.wait_for(trial.in_sync, "replicas in sync")
        return conclude(trial, ends=BROKER_OR_PARTITIONS_LOST)


def _replace(disk: Path, gone: Path, *, keep: bool) -> None:
    shutil.rmtree(disk, ignore_errors=True)
    if keep:
        gone.rename(disk)
    else:
        shutil.rmtree(gone)
