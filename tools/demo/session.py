"""One run of the demo: the broker, the workers, the generators, the keys, and the comparison of every record."""

import logging
import math
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import Field

from runtime.observe.output import say
from runtime.settings import ADDRESS, BrokerSettings, Settings
from runtime.settings.values import Text, Unset, setting
from runtime.stop.signals import stop_request
from tools.broker.download import KAFKA_VERSION
from tools.broker.embedded import Broker
from tools.broker.ports import free_port
from tools.demo.figures import Figures
from tools.demo.terminal import Screen
from tools.demo.view import PARTITIONS, Board, picture
from tools.demo.workers import Child, Workers, end_of
from tools.generator.command import GeneratorSettings
from tools.verify.findings import total
from tools.verify.range import EVERYTHING
from tools.verify.topics import TopicPair
from tools.verify.walk import Walk

_START_TIMEOUT = 300.0  # seconds until the first record has been processed
_CATCH_UP = 120.0  # seconds without a processed record, once no more are sent, after which the rest is given up
_ANSWER_TIMEOUT = 10.0  # seconds for the broker to answer
_STOP_TIMEOUT = 30.0  # seconds for a process
_STEP = 0.05  # seconds between two looks at the topics: the latency is as exact as this

_FIXED = {"input": "user-login", "output": "processed-user-login", "TOPIC_PARTITIONS": f"{PARTITIONS}"}
_FIXED |= {"AUTO_OFFSET_RESET": "earliest", "INSTANCE_ID": "", "COUNT": "0", "dead_letter": ""}
_DEFAULTS = {"RATE": "50", "MALFORMED": "0.05", "SEED": "", "HTTP_PORT": "0", "DEMO_SECONDS": "", "DEMO_PICTURE": ""}
_BURST = {"RATE": "0", "COUNT": "100000", "SEED": ""}


class DemoSettings(Settings, GeneratorSettings):
    """The settings of the demo, its workers and its generator, so that a wrong one is refused before any starts."""

    seconds: Annotated[Annotated[float, Field(gt=0, allow_inf_nan=False)] | None, Unset] = setting(
        "DEMO_SECONDS", None, "a number of seconds above 0"
    )
    picture: Text = setting("DEMO_PICTURE", None, "a file that can be written")


def environment(address: str = "") -> dict[str, str]:
    """Our environment with the demo's broker and topics. What is empty here cannot be set by `.env` either."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("Quix__")}
    names = [str(field.validation_alias) for field in BrokerSettings.model_fields.values()]
    connection = {name: "" for name in names if name.startswith(("Quix__", "BROKER_"))}
    own = {name: os.environ.get(name) or default for name, default in _DEFAULTS.items()}
    return {**others, **connection, **own, **_FIXED, ADDRESS: address}


class Session:
    """Everything that runs for the demo, and the result. Logs and Kafka's data are in the folder."""

    def __init__(self, folder: Path, settings: DemoSettings) -> None:
        self.problem: str | None = None
        self.board = Board(state="done")  # all is compared until something is sent
        self._folder, self._settings = folder, settings
        self._broker = Broker(data=folder / "kafka")
        self._children: dict[str, Child] = {}  # the latest one of each name
        self.closing = ExitStack()  # kills what still runs, and disconnects

    def start(self) -> None:
        """Start everything.

        Raises:
            KeyboardInterrupt: a signal asked to stop before the broker was up.
        """
        say(f"demo: starting Apache Kafka {KAFKA_VERSION}")
        stop_request.on_request = _interrupt
        if stop_request.requested:
            _interrupt()
        self.closing.callback(self._broker.close)
        self.closing.callback(self._broker.kill)
        self._broker.start()
        self._open_topics()
        stop_request.begin()
        self._port, board = self._settings.http_port or free_port(), self.board
        board.state, board.page, board.broker = "starting", f"http://127.0.0.1:{self._port}/", self._broker.address
        say(f"demo: starting pipeline.py and the generator, broker at {board.broker}, page at {board.page}")
        self._workers.add()
        self._generate("generator")
        self._began = time.monotonic()

    def run(self, screen: Screen, pressed: Callable[[], str] | None) -> None:
        """Show the figures until the time is over, a signal asks to stop, or a process exits. Then stop all."""
        self._screen, self._pressed, self.board.has_keys = screen, pressed, pressed is not None
        self._show_until(self._is_over)
        self.problem = self.problem or self.exited()
        if path := self._settings.picture:
            try:
                Path(path).write_text(picture(replace(self.board, state="running")), encoding="utf-8")
            except OSError as error:
                self.problem = self.problem or f"DEMO_PICTURE must be a file that can be written: {error}"
        stop_request.requested = True
        if self._broker.running:
            self._finish()

    def _is_over(self) -> bool:
        board, seconds = self.board, self._settings.seconds or math.inf
        if board.state == "starting" and board.seconds > _START_TIMEOUT:
            self.problem = f"no record was processed within {_START_TIMEOUT:.0f} s"
        is_late = board.state == "running" and board.seconds > seconds
        return is_late or stop_request.requested or bool(self.problem or self.exited())

    def _finish(self) -> None:
        """Send no more, let the workers catch up, stop them, and compare both topics to their ends."""
        self._stop([child for name, child in self._children.items() if name in {"generator", "burst"}])
        self._progress = (self.board.records_out, time.monotonic())
        self._show_until(self._is_caught_up)
        self._stop(self._children.values())
        self._walk.step(self._show, final=True)
        self._show()
        self.board.state = "done"
        self._screen.show()
        nothing = None if self.board.records_in else "stopped before the first record, so nothing was compared"
        self.problem = self.problem or self.exited() or nothing

    def _stop(self, children: Collection[Child]) -> None:
        """Ask processes to stop, and kill what takes too long."""
        deadline = time.monotonic() + _STOP_TIMEOUT
        for child in children:
            child.terminate()
        self._show_until(lambda: all(child.poll() is not None for child in children) or time.monotonic() > deadline)
        for child in children:
            child.end()

    def _is_caught_up(self) -> bool:
        out, now = self.board.records_out, time.monotonic()
        if out > self._progress[0]:
            self._progress = (out, now)
        return not self.board.lag or bool(self.exited()) or now > self._progress[1] + _CATCH_UP

    def exited(self) -> str | None:
        """What has exited unasked, with the end of its log."""
        if not self._broker.running:
            return f"Apache Kafka has exited; its log ends:\n{end_of(self._folder / 'kafka' / 'kafka.log')}"
        return next(filter(None, (child.problem() for child in self._children.values())), None)

    def _open_topics(self) -> None:
        """Create both topics, and open them as tools.verify does."""
        logging.getLogger("librdkafka").disabled = True  # nothing may write across the screen
        settings = self._settings.model_copy(update={"address": self._broker.address})
        admin = AdminClient({"bootstrap.servers": self._broker.address, "log_level": 0})
        topics = [NewTopic(name, PARTITIONS, 1) for name in (settings.input, settings.output)]
        for future in admin.create_topics(topics).values():
            future.result(_ANSWER_TIMEOUT)
        pair = TopicPair(settings, _ANSWER_TIMEOUT)
        self._figures = Figures(pair.target, self.board)
        self._walk = Walk(pair, settings, EVERYTHING, lambda: False, self._figures)
        self.closing.callback(self._walk.close)
        self._workers = Workers(self._work, admin, settings.consumer_group, self.board)

    def _work(self, number: int, name: str) -> Child:
        """Start a worker. The first one serves the page."""
        own = {"INSTANCE_ID": name, "HTTP_PORT": f"{self._port if number == 1 else 0}"}
        return self._launch(name, ["pipeline.py"], own)

    def _generate(self, name: str, **own: str) -> None:
        self._launch(name, ["-m", "tools.generator"], {"output": self._settings.input, "HTTP_PORT": "0", **own})

    def _launch(self, name: str, arguments: list[str], own: dict[str, str]) -> Child:
        variables = {**environment(self._broker.address), **own}
        self._children[name] = child = Child(name, arguments, variables, self._folder, may_end=name == "burst")
        self.closing.callback(child.end)
        return child

    def _show_until(self, done: Callable[[], bool]) -> None:
        while True:
            self._walk.step(self._show, final=False)
            self._show()
            if done():
                return
            time.sleep(_STEP)

    def _show(self, _records: int = 0) -> None:
        """Do what the keys ask for, and show the figures."""
        for key in self._pressed() if self._pressed and not stop_request.requested else "":
            self._press(key)
        now, board = time.monotonic(), self.board
        if board.state == "starting" and board.records_out:
            board.state, self._began = "running", now
        if stop_request.requested:
            board.state = "stopping"
        board.seconds = now - self._began
        board.counts = total(self._walk.findings())
        board.records_in = sum(board.counts.values()) - board.counts["duplicated"]
        self._figures.update(now)
        self._workers.update()
        self._screen.show()

    def _press(self, key: str) -> None:
        burst = self._children.get("burst")
        if key == "k":
            self._workers.kill()
        elif key == "w":
            self._workers.add()
        elif key == "b" and (burst is None or burst.poll() is not None):
            self._generate("burst", **_BURST)
            self.board.event = "a burst of 100,000 records"
        elif key == "q":
            signal.raise_signal(signal.SIGINT)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt
