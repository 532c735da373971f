"""Row 6: what lies between the workers and the broker is slow, loses, is silent, or resets."""

from dataclasses import replace

from faults.plan import Plan
from faults.proxy import FAIR, Proxy, Weather
from faults.report import Report
from faults.trial import PATIENCE, Trial
from tools.broker.node import HOST, choose_ports

SLOW, LOSSY, SILENT = Weather(delay=0.1), Weather(lost=0.05), Weather(swallowed=True)
"""There and back together, 200 ms; one chunk in twenty lost; a black hole."""
BLACK_HOLES = (10.0, 60.0, 180.0)
"""Seconds."""

_WORKERS = 3
_ENDS = {69, 70}  # no broker answers; the group, or the transaction, is gone
_LASTS = 20.0  # seconds of being slow or lossy


def network(plan: Plan) -> Report:
    """Row 6; `count` times each of the six."""
    ports = choose_ports(None)  # one for the workers' own listener, one for the proxy before it
    proxied_listener = (ports.internal, ports.clients)
    plan = replace(plan, settings={**plan.settings, "Quix__Broker__Address": f"{HOST}:{ports.clients}"})
    with (
        Proxy(ports.clients, ports.internal, plan.seed) as proxy,
        Trial(plan, proxied_listener=proxied_listener) as trial,
    ):
        trial.crew.start(_WORKERS)
        trial.load()
        trial.follow()
        trial.wait_for_output()
        for number in range(plan.count):
            _each(trial, proxy)
            trial.say(f"{number + 1}/{plan.count} of each")
        return trial.report("6", "network: slow, lossy, silent, reset", ends=_ENDS)


def _each(trial: Trial, proxy: Proxy) -> None:
    kinds = {"200 ms": (SLOW, _LASTS), "5 % lost": (LOSSY, _LASTS)}
    kinds |= {f"black hole {seconds:g} s": (SILENT, seconds) for seconds in BLACK_HOLES}
    for kind, (weather, seconds) in kinds.items():
        proxy.weather = weather
        trial.fault(kind, resume=False)
        trial.wait(seconds * trial.plan.pace)
        proxy.weather = FAIR
        _resumes(trial)
    proxy.reset()
    trial.fault("reset", resume=False)
    _resumes(trial)


def _resumes(trial: Trial) -> None:
    trial.reader.mark()
    assert trial.until(lambda: not trial.reader.check.open_faults, PATIENCE), "output does not flow again"
    trial.wait(2.0)
