"""One run of the demo: the broker, the workers, the generator, the keys, and the comparison of every record."""

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from confluent_kafka.admin import AdminClient, NewTopic

from runtime.observe.output import say
from runtime.settings import ADDRESS, BrokerSettings, Settings
from runtime.stop.signals import stop_request
from tools.broker.download import KAFKA_VERSION
from tools.broker.embedded import Broker
from tools.broker.node import choose_ports
from tools.demo.burst import Burst
from tools.demo.child import Child, end_of
from tools.demo.figures import Figures
from tools.demo.keys import Keys
from tools.demo.screen import Screen
from tools.demo.view import PARTITIONS, Snapshot, picture
from tools.demo.workers import Group, Workers
from tools.verify.findings import total
from tools.verify.topics import TopicPair
from tools.verify.walk import EVERYTHING, Walk

TOPICS = ("user-login", "processed-user-login")
BURST = 100_000
START_TIMEOUT = 300.0
"""Seconds until the first record has been processed."""

CATCH_UP = 120.0
"""Seconds without a processed record, once the generator has stopped, after which the rest is given up."""

_TIMEOUT = 10.0  # seconds for the broker to answer
_STEP = 0.05  # seconds between two looks at the topics: the latency is as exact as this


class Session:
    """Everything that runs for the demo, and the result."""

    def __init__(self, folder: Path) -> None:
        self.problem: str | None = None
        self.is_counted = True
        """Whether both topics were read to their ends; only then is a missing record lost."""
        self.shown = Snapshot()
        self._folder = folder
        self._broker = Broker(data=folder / "kafka")
        self._children: dict[str, Child] = {}  # the latest one of each name
        self._workers = Workers(self._launch)
        self._walk: Walk | None = None
        self._burst: Burst | None = None
        self._first: float | None = None

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
            self._open_topics(self._broker.address)
            stop_request.on_request = _continue
        except KeyboardInterrupt:
            return False
        self.is_counted = False
        self._port = os.environ.get("HTTP_PORT") or f"{choose_ports(None).clients}"
        self.shown = Snapshot(page=f"http://127.0.0.1:{self._port}/", broker=self._broker.address)
        say(f"demo: starting pipeline.py and the generator, broker at {self.shown.broker}, page at {self.shown.page}")
        self._workers.add()
        rate, self._malformed = os.environ.get("RATE") or "50", os.environ.get("MALFORMED") or "0.05"
        own = {"RATE": rate, "MALFORMED": self._malformed, "COUNT": "0", "HTTP_PORT": "0"}
        self._generator = self._child("generator", ["-m", "tools.generator"], output=TOPICS[0], **own)
        self._started = time.monotonic()
        return True

    def run(self, screen: Screen, keys: Keys, seconds: float) -> None:
        """Show the figures until the time is over, a signal asks to stop, or a process exits; then stop all."""
        self._screen, self._keys = screen, keys
        self._show_until(lambda: self._is_over(seconds))
        self.problem = self.problem or self.exited()
        if path := os.environ.get("DEMO_PICTURE"):
            try:
                Path(path).write_text(picture(replace(self.shown, state="running")), encoding="utf-8")
            except OSError as error:
                self.problem = self.problem or f"DEMO_PICTURE must be a file that can be written: {error}"
        stop_request.requested = True
        if self._broker.running:
            self._finish()

    def _is_over(self, seconds: float) -> bool:
        now = time.monotonic()
        if self._first is None and now > self._started + START_TIMEOUT:
            self.problem = f"no record was processed within {START_TIMEOUT:.0f} s"
        is_late = self._first is not None and now > self._first + seconds
        return is_late or stop_request.requested or bool(self.problem or self.exited())

    def _finish(self) -> None:
        """Send no more, let the workers catch up, stop them, and compare both topics to their ends."""
        self._generator.terminate()
        if self._burst:
            self._burst.stop()
        self._show_until(lambda: self._generator.poll() is not None)
        self._progress = (self._figures.records_out, time.monotonic())
        self._show_until(self._is_caught_up)
        self._workers.stop()
        assert self._walk
        self._walk.step(self._show, final=True)
        self.is_counted = True
        self._show()
        self.problem = self.problem or self.exited()
        if not self.shown.records_in:
            self.problem = self.problem or "stopped before the first record, so nothing was compared"

    def _is_caught_up(self) -> bool:
        out, now = self._figures.records_out, time.monotonic()
        if out > self._progress[0]:
            self._progress = (out, now)
        return out >= self.shown.records_in or bool(self.exited()) or now > self._progress[1] + CATCH_UP

    def close(self) -> None:
        """Kill what still runs, and disconnect."""
        for child in self._children.values():
            child.end()
        if self._walk:
            self._walk.close()
        self._broker.kill()
        self._broker.close()

    def exited(self) -> str | None:
        """What has exited unasked, with the end of its log."""
        if not self._broker.running:
            return f"Apache Kafka has exited; its log ends:\n{end_of(self._folder / 'kafka' / 'kafka.log')}"
        return next(filter(None, (child.problem() for child in self._children.values())), None)

    def _open_topics(self, address: str) -> None:
        """Create both topics, and open them as tools.verify does."""
        logging.getLogger("librdkafka").disabled = True  # nothing may write across the screen
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in TOPICS]).values():
            future.result(_TIMEOUT)
        settings = Settings.model_validate({ADDRESS: address, "input": TOPICS[0], "output": TOPICS[1]})
        topics = TopicPair(settings, _TIMEOUT)
        self._figures = Figures(topics.source.name, topics.target)
        self._walk = Walk(topics, settings, EVERYTHING, lambda: False, self._figures)
        self._group = Group(admin, settings.consumer_group)

    def _launch(self, number: int, name: str) -> Child:
        """Start a worker; the first one serves the page."""
        own = {"INSTANCE_ID": name, "HTTP_PORT": self._port if number == 1 else "0"}
        return self._child(name, ["pipeline.py"], input=TOPICS[0], output=TOPICS[1], **own)

    def _child(self, name: str, arguments: list[str], **own: str) -> Child:
        child = Child(name, arguments, _environment(self._broker.address, own), self._folder)
        self._children[name] = child
        return child

    def _show_until(self, done: Callable[[], bool]) -> None:
        assert self._walk
        while True:
            begin = time.monotonic()
            self._walk.step(self._show, final=False)
            self._show()
            if done():
                return
            time.sleep(max(0.0, begin + _STEP - time.monotonic()))

    def _show(self, _records: int = 0) -> None:
        """Do what the keys ask for, and show the figures."""
        assert self._walk
        if not stop_request.requested:
            for key in self._keys.pressed():
                self._press(key)
        if self._burst:
            self._burst.send()
        now, counts = time.monotonic(), total(self._walk.findings())
        if self._first is None and self._figures.records_out:
            self._first = now
        records_in = sum(counts.values()) - counts["duplicated"]
        self.shown = replace(
            self.shown,
            state=self._state(),
            seconds=now - (self._first or self._started),
            records_in=records_in,
            records_out=self._figures.records_out,
            rates=self._figures.rates(now, records_in),
            latency=self._figures.latency,
            malformed=self._figures.malformed,
            pairs=self._figures.pairs,
            workers=self._workers.view(self._group.members()),
            kills=self._workers.kills,
            counts=counts,
            event=self._workers.event,
            has_keys=self._keys.are_read,
        )
        self._screen.show(self.shown)

    def _state(self) -> str:
        if self.is_counted:
            return "done"
        if stop_request.requested:
            return "stopping"
        return "starting" if self._first is None else "running"

    def _press(self, key: str) -> None:
        if key == "k":
            self._workers.kill()
        elif key == "w" and len(self._workers) < PARTITIONS:
            self._workers.add()
        elif key == "b":
            self._burst = self._burst or Burst(self._broker.address, TOPICS[0], float(self._malformed))
            self._burst.add(BURST)
        elif key == "q":
            signal.raise_signal(signal.SIGINT)


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
