"""`make demo`: logins flow through a real Apache Kafka and this pipeline, and every one of them is checked.

It starts an embedded broker, the login generator and `python pipeline.py`, shows what happens, and takes it all down.

    DEMO_SECONDS          stop after so many seconds; without it, at Ctrl-C
    RATE, MALFORMED, SEED the generator's; 50 records per second and a share of 0.05 where not set

The pipeline's own settings hold, too, but for the broker and the topics, which are the demo's.

Exit codes: 0 if no record was lost, 1 if one was or if something died, 78 if a setting is wrong.
"""

import io
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Self

from confluent_kafka import KafkaException
from rich.console import Console, RenderableType
from rich.live import Live

from pipeline import TRANSFORMS
from runtime.settings import ADDRESS, BrokerSettings
from runtime.stop.signals import stop_request
from tools.broker.download import KAFKA_VERSION
from tools.broker.embedded import Broker, BrokerError
from tools.demo.child import Child, end_of
from tools.demo.topics import Comparison, Ends, Topics
from tools.demo.view import Snapshot, plain, screen
from transforms import chain

TOPICS = ("user-login", "processed-user-login")
PARTITIONS = 4
CATCH_UP = 30.0
"""Seconds that the pipeline has to process what is left, once the generator has stopped."""

_READ_WITHIN = 15.0  # seconds to read the topics to their ends
_TICK = 0.2  # seconds


class Screen:
    """The live view on a terminal; one plain line per second elsewhere."""

    def __init__(self) -> None:
        self._console = Console(force_terminal=True)
        is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._live = Live(console=self._console, screen=True, auto_refresh=False) if is_terminal else None
        self._due = 0.0 if is_terminal else 1.0
        self._shown = Snapshot()

    def show(self, snapshot: Snapshot) -> None:
        """Show these figures, unless the last ones have hardly been seen yet."""
        self._shown = snapshot
        if snapshot.seconds < self._due:
            return
        if self._live:
            self._due = snapshot.seconds + _TICK
            self._live.update(self._view(), refresh=True)
        else:
            self._due = math.floor(snapshot.seconds) + 1.0
            print(plain(snapshot), flush=True)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
            self._console.print(self._view())  # what a terminal shows while live is gone afterwards

    def _view(self) -> RenderableType:
        return screen(self._shown, *self._console.size)


class Demo:
    """All that runs for the demo, and what comes of it."""

    def __init__(self, folder: Path) -> None:
        self.problem: str | None = None
        self.is_counted = True
        """Whether both topics have been read to their ends: until then, a record that is not there is not lost."""
        self.comparison = Comparison(chain(*TRANSFORMS))
        self._folder = folder
        self._broker = Broker(data=folder / "kafka")
        self._children: list[Child] = []

    def start(self) -> bool:
        """Start everything; False if a signal asks to stop before the broker is up.

        Raises:
            BrokerError: there can be no broker here.
            KafkaException: the broker does not take the topics.
        """
        print(f"demo: starting Apache Kafka {KAFKA_VERSION}", flush=True)
        try:
            stop_request.on_request = _interrupt
            if stop_request.requested:
                return False
            self._broker.start()
            stop_request.on_request = _go_on
        except KeyboardInterrupt:
            return False
        self._topics = Topics(self._broker.address, TOPICS, PARTITIONS, self.comparison)
        print(f"demo: starting pipeline.py and the generator, broker at {self._broker.address}", flush=True)
        self.is_counted = False
        self._pipeline = self._child("pipeline", ["pipeline.py"], input=TOPICS[0], output=TOPICS[1])
        given = {"RATE": "50", "MALFORMED": "0.05"} | os.environ
        own = {"output": TOPICS[0], "COUNT": "0", "RATE": given["RATE"], "MALFORMED": given["MALFORMED"]}
        self._generator = self._child("generator", ["-m", "tools.generator"], HEALTH_PORT="0", **own)
        self._started = time.monotonic()
        return True

    def watch(self, screen: Screen, seconds: float) -> None:
        """Show what happens until the time is over, a signal asks to stop, or something dies."""
        self._read_until(screen, "running", seconds, lambda: stop_request.requested or bool(self._death()))
        self.problem = self._death()

    def finish(self, screen: Screen) -> None:
        """Stop the generator, let the pipeline catch up, stop it, and read both topics to their ends."""
        if not self._broker.running:
            return
        self._generator.stop()
        sent = self._topics.ends()
        self._read_until(screen, "catching up", CATCH_UP, lambda: self._caught_up(sent) or not self._pipeline.running)
        self._pipeline.stop()
        ends = self._topics.ends()
        self._read_until(screen, "stopped", _READ_WITHIN, lambda: self._topics.are_read_to(ends))
        self.is_counted = self._topics.are_read_to(ends)
        if not self.is_counted:
            self.problem = self.problem or "the topics could not be read to their ends in time"
        self.problem = self.problem or self._death()

    def close(self) -> None:
        """End what still runs; nothing that it has is needed any more."""
        for child in self._children:
            child.kill()
        if self._children:
            self._topics.close()
        self._broker.kill()
        self._broker.close()

    def _child(self, name: str, arguments: Sequence[str], **own: str) -> Child:
        child = Child(name, arguments, _environment(self._broker.address, own), self._folder)
        self._children.append(child)
        return child

    def _read_until(self, screen: Screen, state: str, seconds: float, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not done() and (now := time.monotonic()) < deadline:
            self._topics.read(min(_TICK, deadline - now))
            screen.show(self.comparison.snapshot(state, time.monotonic() - self._started))

    def _caught_up(self, sent: Ends) -> bool:
        return self._topics.are_read_to(sent) and self.comparison.records_out >= self.comparison.records_in

    def _death(self) -> str | None:
        if not self._broker.running:
            return f"Apache Kafka has died; its log ends:\n{end_of(self._folder / 'kafka' / 'kafka.log')}"
        return next(filter(None, (child.problem() for child in self._children)), None)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _go_on() -> None:
    """What is going on ends by itself once it sees the request."""


def _environment(address: str, own: Mapping[str, str]) -> dict[str, str]:
    """Ours, but for where the broker is and how to reach it: what is empty here neither we nor `.env` may set."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("Quix__")}
    names = [str(field.validation_alias) for field in BrokerSettings.model_fields.values()]
    connection = {name: "" for name in names if name.startswith(("Quix__", "BROKER_"))}
    return {**others, **connection, ADDRESS: address, "AUTO_OFFSET_RESET": "earliest", **own}


def run(seconds: float) -> int:
    """Run the demo for so many seconds; give the exit code."""
    with tempfile.TemporaryDirectory(prefix="user-login-demo-") as folder:
        demo = Demo(Path(folder))
        try:
            if demo.start():
                with Screen() as screen:
                    demo.watch(screen, seconds)
                    demo.finish(screen)
        except KeyboardInterrupt:
            demo.problem = demo.problem or "stopped before all was counted"
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left takes no time and must be done
            demo.close()
    if demo.problem:
        print(f"demo: {demo.problem}", file=sys.stderr, flush=True)
    figures, missing = demo.comparison, demo.comparison.lost()
    malformed = figures.malformed.total()
    missing_are = "lost" if demo.is_counted else "not yet counted"
    counts = f"{figures.records_in} in, {figures.records_out} out, {malformed} malformed, {missing} {missing_are}"
    print(f"demo: {counts}", flush=True)
    return 1 if demo.problem or missing else 0


def main() -> int:
    """Run as the environment says; give the exit code."""
    given = os.environ.get("DEMO_SECONDS") or "inf"
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        print(f"demo: DEMO_SECONDS is {given!r}, but may be: a number of seconds above 0", file=sys.stderr)
        return os.EX_CONFIG
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # under nohup it stays ignored
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may lack the characters of frames
    try:
        return run(seconds)
    except (BrokerError, KafkaException) as error:
        print(f"demo: {error}", file=sys.stderr)
    except BrokenPipeError:  # nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
