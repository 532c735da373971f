"""Row 14: two faults at the same time, drawn at random."""

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from faults.plan import Plan
from faults.proxy import FAIR, Proxies, Weather
from faults.report import Report
from faults.rows.brokers import in_sync, meanwhile
from faults.trial import PATIENCE, Trial
from faults.workers import Worker

_NODES = 3
_WORKERS = 3
_SLOW = (Weather(delay=0.1), Weather(lost=0.05))
_LASTS = (1.0, 25.0)  # seconds
_PAUSES = (1.0, 5.0)  # seconds between two rounds
_ENDS = {69, 70}  # no broker answers; the group, or the transaction, is gone

Undo = Callable[[], object]


def pairs(plan: Plan) -> Report:
    """Row 14."""
    with Proxies(_NODES, plan.seed) as proxies:
        plan = replace(plan, settings={"Quix__Broker__Address": proxies.address, **plan.settings})
        with Trial(plan, nodes=_NODES, proxied_listener=proxies.detours) as trial:
            trial.crew.start(_WORKERS)
            trial.load()
            trial.follow()
            trial.wait_for_output()
            for number in range(plan.count):
                kinds = sorted(trial.random.sample(sorted(_FAULTS), 2))
                _round(trial, proxies, kinds)
                trial.say(f"{number + 1}/{plan.count} rounds, {' and '.join(kinds)}")
            return trial.report("14", "two faults at once", ends=_ENDS, stops=(0, *_ENDS))


def _round(trial: Trial, proxies: Proxies, kinds: list[str]) -> None:
    """Do both, let them last for a while, undo them, and wait until all is as before."""
    assert trial.until(lambda: len(trial.crew.alive()) >= _WORKERS, PATIENCE), "the workers did not come up"
    undo = [_FAULTS[kind](trial, proxies) for kind in kinds]
    trial.fault(" and ".join(kinds), resume=False)
    trial.wait(trial.random.uniform(*_LASTS) * trial.plan.pace)
    for each in undo:
        each()
    trial.reader.mark()
    assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow"
    assert trial.until(lambda: in_sync(trial), PATIENCE), "the broker does not catch up"
    trial.wait(trial.random.uniform(*_PAUSES) * trial.plan.pace)


def _worker(trial: Trial) -> Worker:
    return trial.random.choice(trial.crew.alive(lambda worker: not worker.expected))


def _kill(trial: Trial, _: Proxies) -> Undo:
    _worker(trial).kill()
    trial.crew.start()
    return lambda: None


def _freeze(trial: Trial, _: Proxies) -> Undo:
    worker = _worker(trial)
    worker.send(signal.SIGSTOP)
    return partial(worker.send, signal.SIGCONT)


def _stop(trial: Trial, _: Proxies) -> Undo:
    worker = _worker(trial)
    assert trial.until(lambda: worker.handles_sigterm, PATIENCE)  # before that, SIGTERM kills it
    trial.crew.ask_to_stop(worker)

    def start_another() -> None:
        assert trial.until(lambda: not worker.running, PATIENCE), "the worker does not stop"
        trial.crew.start()

    return start_another


def _reset(_: Trial, proxies: Proxies) -> Undo:
    proxies.reset()
    return lambda: None


def _slow(trial: Trial, proxies: Proxies) -> Undo:
    proxies.set(trial.random.choice(_SLOW))
    return partial(proxies.set, FAIR)


def _kill_broker(trial: Trial, _: Proxies) -> Undo:
    node = trial.random.choice(trial.cluster.nodes)
    node.kill()
    return partial(meanwhile, trial, node.start)


_FAULTS: dict[str, Callable[[Trial, Proxies], Undo]] = {
    "SIGKILL": _kill,
    "SIGSTOP": _freeze,
    "SIGTERM": _stop,
    "reset": _reset,
    "slow network": _slow,
    "broker killed": _kill_broker,
}
