"""`make demo`: sends logins through a real Apache Kafka and this pipeline, and compares every record.

It starts an embedded broker, the login generator and `python pipeline.py`, shows their figures, and ends them.

    DEMO_SECONDS          stop after this many seconds; without it, at Ctrl-C
    DEMO_PICTURE          write the last screen before the stop into this SVG file (docs/demo.svg is such a picture)
    RATE, MALFORMED, SEED the generator's settings; by default 50 records per second and a share of 0.05

The pipeline's settings apply, except for the broker and the topics, which are the demo's.

Exit codes: 0 if no record was lost, 1 if one was or a process failed, 78 if a setting is wrong.
"""

import io
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.errors import PipelineError
from runtime.observe.output import UnwritableError, say
from runtime.settings import ADDRESS, BrokerSettings, Settings
from runtime.stop.signals import stop_request
from tools.broker.download import KAFKA_VERSION
from tools.broker.embedded import Broker
from tools.broker.files import BrokerError
from tools.demo.child import Child, end_of
from tools.demo.figures import Figures, missing
from tools.demo.screen import TICK, Screen
from tools.demo.view import Snapshot, picture
from tools.verify.topics import TopicPair
from tools.verify.walk import EVERYTHING, Walk

TOPICS = ("user-login", "processed-user-login")
PARTITIONS = 4
CATCH_UP = 30.0
"""Seconds that the pipeline has to process the rest, once the generator has stopped."""

_TIMEOUT = 10.0  # seconds for the broker to answer


class Demo:
    """Everything that runs for the demo, and the result."""

    def __init__(self, folder: Path) -> None:
        self.problem: str | None = None
        self.is_counted = True
        """Whether both topics were read to their ends; only then is a missing record lost."""
        self.figures: Figures | None = None
        self._folder = folder
        self._broker = Broker(data=folder / "kafka")
        self._children: list[Child] = []
        self._walk: Walk

    def start(self) -> bool:
        """Start everything; False if a signal asks to stop before the broker is up.

        Raises:
            BrokerError: the broker cannot be started.
            KafkaException: the broker refuses the topics.
        """
        say(f"demo: starting Apache Kafka {KAFKA_VERSION}")
        try:
            stop_request.on_request = _interrupt
            if stop_request.requested:
                return False
            self._broker.start()
            self.figures = self._open_topics(self._broker.address)
            stop_request.on_request = _continue
        except KeyboardInterrupt:
            return False
        say(f"demo: starting pipeline.py and the generator, broker at {self._broker.address}")
        self.is_counted = False
        self._pipeline = self._child("pipeline", ["pipeline.py"], input=TOPICS[0], output=TOPICS[1])
        given = {"RATE": "50", "MALFORMED": "0.05"} | os.environ
        own = {"output": TOPICS[0], "COUNT": "0", "RATE": given["RATE"], "MALFORMED": given["MALFORMED"]}
        self._generator = self._child("generator", ["-m", "tools.generator"], HTTP_PORT="0", **own)
        self._started = time.monotonic()
        return True

    def watch(self, screen: Screen, seconds: float) -> None:
        """Show the figures until the time is over, a signal asks to stop, or a process exits."""
        self._show_until(screen, "running", seconds, lambda: stop_request.requested or bool(self.exited()))
        self.problem = self.exited()
        if path := os.environ.get("DEMO_PICTURE"):
            assert self.figures
            running = self.figures.snapshot("running", time.monotonic() - self._started)
            try:
                Path(path).write_text(picture(running), encoding="utf-8")
            except OSError as error:
                self.problem = self.problem or f"DEMO_PICTURE must be a file that can be written: {error}"

    def finish(self, screen: Screen) -> None:
        """Stop the generator, let the pipeline catch up, stop it, and compare both topics to their ends."""
        if not self._broker.running:
            return
        self._generator.stop()
        self._show_until(screen, "catching up", CATCH_UP, self._is_caught_up)
        self._pipeline.stop()
        self._walk.step(_ignore, final=True)
        self.is_counted = True
        self._show(screen, "stopped")
        self.problem = self.problem or self.exited() or self._void()

    def missing(self) -> int:
        """How many records are missing or wrong so far."""
        if self.figures is None:
            return 0
        return missing(self._walk.findings()) if self.is_counted else self.figures.records_in - self.figures.records_out

    def close(self) -> None:
        """Kill what still runs, and disconnect."""
        for child in self._children:
            child.end()
        if self.figures:
            self._walk.close()
        self._broker.kill()
        self._broker.close()

    def _void(self) -> str | None:
        """The problem that there was nothing to compare, if so."""
        if self.figures and self.figures.records_in:
            return None
        return "no record was sent, so nothing was compared: DEMO_SECONDS is too short"

    def _open_topics(self, address: str) -> Figures:
        """Create both topics, and open them as tools.verify does."""
        logging.getLogger("librdkafka").disabled = True  # nothing may write across the screen
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in TOPICS]).values():
            future.result(_TIMEOUT)
        settings = Settings.model_validate({ADDRESS: address, "input": TOPICS[0], "output": TOPICS[1]})
        topics = TopicPair(settings, _TIMEOUT)
        figures = Figures(topics.source.name, topics.target)
        self._walk = Walk(topics, settings, EVERYTHING, lambda: False, figures)
        return figures

    def _child(self, name: str, arguments: Sequence[str], **own: str) -> Child:
        child = Child(name, arguments, _environment(self._broker.address, own), self._folder)
        self._children.append(child)
        return child

    def _show_until(self, screen: Screen, state: str, seconds: float, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while True:
            begin = time.monotonic()
            self._walk.step(_ignore, final=False)
            self._show(screen, state)
            if done() or (now := time.monotonic()) > deadline:
                return
            time.sleep(max(0.0, min(begin + TICK, deadline) - now))

    def _show(self, screen: Screen, state: str) -> None:
        assert self.figures
        screen.show(self.figures.snapshot(state, time.monotonic() - self._started))

    def _is_caught_up(self) -> bool:
        assert self.figures
        return self.figures.records_out >= self.figures.records_in or self._pipeline.poll() is not None

    def exited(self) -> str | None:
        """What has exited unasked, with the end of its log."""
        if not self._broker.running:
            return f"Apache Kafka has exited; its log ends:\n{end_of(self._folder / 'kafka' / 'kafka.log')}"
        return next(filter(None, (child.problem() for child in self._children)), None)


def _ignore(_: int) -> None:
    """Take the number of records read."""


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _continue() -> None:
    """Leave it to the loop to see the request."""


def _environment(address: str, own: Mapping[str, str]) -> dict[str, str]:
    """Our environment with the demo's broker; what is empty here cannot be set by `.env` either."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("Quix__")}
    names = [str(field.validation_alias) for field in BrokerSettings.model_fields.values()]
    connection = {name: "" for name in names if name.startswith(("Quix__", "BROKER_"))}
    return {**others, **connection, ADDRESS: address, "AUTO_OFFSET_RESET": "earliest", **own}


def run(seconds: float) -> int:
    """Run the demo for this many seconds; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="user-login-demo-") as folder:
        demo = Demo(Path(folder))
        try:
            if demo.start():
                with Screen() as screen:
                    demo.watch(screen, seconds)
                    demo.finish(screen)
        except KeyboardInterrupt:
            demo.problem = demo.problem or "interrupted before all records were compared"
        except (BrokerError, UnwritableError):
            raise
        except (PipelineError, KafkaException) as error:
            demo.problem = demo.problem or demo.exited() or str(error)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the rest takes no time and must be done
            demo.close()
    if demo.problem:
        print(f"demo: {demo.problem}", file=sys.stderr, flush=True)
    shown, lost = demo.figures.snapshot("", 0.0) if demo.figures else Snapshot(), demo.missing()
    malformed, lost_are = sum(shown.malformed.values()), "lost" if demo.is_counted else "not yet counted"
    say(f"demo: {shown.records_in} in, {shown.records_out} out, {malformed} malformed, {lost} {lost_are}")
    return 1 if demo.problem or lost else 0


def main() -> int:
    """Run with the settings of the environment; return the exit code."""
    given = os.environ.get("DEMO_SECONDS") or "inf"
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        print(f"demo: DEMO_SECONDS must be a number of seconds above 0 (got {given!r})", file=sys.stderr)
        return os.EX_CONFIG
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # under nohup it stays ignored
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not be able to show frames
    try:
        return run(seconds)
    except (PipelineError, KafkaException, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
    return 1
