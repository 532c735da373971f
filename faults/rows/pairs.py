"""Row 14: two faults at the same time, drawn at random."""

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from faults.conclusion import BROKER_OR_PARTITIONS_LOST, conclude
from faults.plan import Plan
from faults.proxy import NORMAL, NetworkConditions, Proxies
from faults.report import RowReport
from faults.trial import WORKERS, Trial
from faults.workers import Worker

_NODES = 3
_SLOW = (NetworkConditions(delay=0.1), NetworkConditions(lost=0.05))
_DURATION = (1.0, 25.0)  # seconds
_PAUSES = (1.0, 5.0)  # seconds between two rounds

Undo = Callable[[], object]


def pairs(plan: Plan) -> RowReport:
    """Row 14."""
    proxies = Proxies(_NODES, plan.seed)
    plan = replace(plan, settings={"Quix__Broker__Address": proxies.address, **plan.settings})
    with proxies, Trial(plan, nodes=_NODES, proxied_listeners=proxies.listeners) as trial:
        trial.start()
        for _ in trial.rounds("rounds"):
            _round(trial, proxies, sorted(trial.random.sample(sorted(_FAULTS), 2)))
        return conclude(trial, ends=BROKER_OR_PARTITIONS_LOST, stops=(0, *BROKER_OR_PARTITIONS_LOST))


def _round(trial: Trial, proxies: Proxies, kinds: list[str]) -> None:
    """Do both for a while, undo them, and wait until everything has recovered."""
    trial.wait_for_workers(WORKERS)
    undo = [_FAULTS[kind](trial, proxies) for kind in kinds]
    trial.fault(" and ".join(kinds), resume=False)
    trial.pause(*_DURATION)
    for each in undo:
        each()
    trial.wait_for_new_output()
    trial.wait_for(trial.in_sync, "replicas in sync")
    trial.pause(*_PAUSES)


def _worker(trial: Trial) -> Worker:
    return trial.random.choice(trial.pool.alive(lambda worker: not worker.expected))


def _kill(trial: Trial, _: Proxies) -> Undo:
    _worker(trial).kill()
    trial.pool.start()
    return lambda: None


def _freeze(trial: Trial, _: Proxies) -> Undo:
    worker = _worker(trial)
    worker.send(signal.SIGSTOP)
    return partial(worker.send, signal.SIGCONT)


def _stop(trial: Trial, _: Proxies) -> Undo:
    worker = _worker(trial)
    trial.wait_for(lambda: worker.handles_sigterm, "a handler for SIGTERM")  # before that, SIGTERM kills it
    trial.pool.ask_to_stop(worker)

    def start_another() -> None:
        trial.wait_for(lambda: not worker.running, "a worker to stop")
        trial.pool.start()

    return start_another


def _reset(_: Trial, proxies: Proxies) -> Undo:
    proxies.reset()
    return lambda: None


def _slow(trial: Trial, proxies: Proxies) -> Undo:
    proxies.set(trial.random.choice(_SLOW))
    return partial(proxies.set, NORMAL)


def _kill_broker(trial: Trial, _: Proxies) -> Undo:
    node = trial.random.choice(trial.cluster.nodes)
    node.kill()
    return partial(trial.during, node.start)


_FAULTS: dict[str, Callable[[Trial, Proxies], Undo]] = {
    "SIGKILL": _kill,
    "SIGSTOP": _freeze,
    "SIGTERM": _stop,
    "reset": _reset,
    "slow network": _slow,
    "broker killed": _kill_broker,
}
