"""Runs one node of a real Apache Kafka: for `python -m tools.broker`, the demo, the tests, faults and benchmarks.

with Broker() as broker:
    print(broker.address)
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tools.broker.download import java, java_version
from tools.broker.files import BrokerError, names_the_file, remove_old
from tools.broker.node import FULL_SPEED, QUICK_START, Member, aot_cache, command, environment, prepare
from tools.broker.ports import HOST, choose_ports
from tools.broker.ready import Probe
from tools.child_process import ChildProcess

__all__ = ["FULL_SPEED", "QUICK_START", "Broker", "train"]

_START_TIMEOUT = 120.0  # seconds: some 5 on an idle machine; a loaded one may have three to start at once
_CLASHES = 5  # how often the chosen ports may be taken
_LOG_LINES = 15
_AOT_JAVA = 25
_AOT_UNUSED = 30 * 86400.0  # seconds


class Broker:
    """One node of Apache Kafka in a process of its own, which ends with ours.

    Leaving the `with` block, or `close`, stops it and removes its folder, unless the folder was given.

    Args:
        port: on 127.0.0.1; by default a free one. A restart keeps it.
        data: folder for topics, settings and log, kept afterwards; by default a temporary one.
        properties: Kafka's own settings, over those that suit one small node. The listener for clients is called
            `CLIENTS`; what Kafka itself uses stays plain, so a secured broker needs settings for `CLIENTS` only.
        jvm: flags for Java. The default starts fast; `FULL_SPEED` runs fast.
        member: ports and id if it is one of several nodes (tools/broker/cluster.py).
    """

    def __init__(
        self,
        port: int | None = None,
        data: Path | None = None,
        properties: Mapping[str, str] | None = None,
        jvm: Sequence[str] = QUICK_START,
        member: Member | None = None,
    ) -> None:
        self.port = port
        self._member = member
        self._folder = data
        self._temporary = data is None
        self._properties = dict(properties or {})
        self._jvm = tuple(jvm)
        self._process: ChildProcess | None = None
        self._paused = False
        self._log_start = 0

    @property
    def address(self) -> str:
        """The bootstrap server, `127.0.0.1:port`. It is known once the broker has been started."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Java's process id."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the process is alive (it may be paused)."""
        return self._process is not None and self._process.poll() is None

    @property
    def folder(self) -> Path:
        """The folder of Kafka's `data/` and its log, `kafka.log`."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="user-login-kafka-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder.resolve()

    def start(self) -> None:
        """Start it, with any data of an earlier run, and return when topics, groups and transactions work.

        Raises:
            BrokerError: it exited, did not answer in two minutes, or a port, file or folder cannot be used.
        """
        if self.running:
            raise BrokerError(f"the broker at {self.address} runs already")
        given, deadline = self.port, time.monotonic() + _START_TIMEOUT
        atexit.register(self.close)
        for _ in range(_CLASHES):
            self.kill()  # releases a former run's process
            ports, cluster = self._member or (choose_ports(given), None)
            self.port = ports.clients
            with names_the_file():
                probe = Probe(HOST, ports.internal, prepare(self.folder, ports, self._properties, cluster))
                self._launch()
            if self._answers(probe, deadline):
                return
        raise BrokerError(self._with_log("Apache Kafka found no free port"))

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down cleanly (SIGTERM, or SIGKILL after `timeout` seconds) and keep the data for the next `start`."""
        if self.running:
            process = self._started()
            process.terminate()
            self.resume()  # a paused process does not stop
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """Kill it with SIGKILL. The data stay."""
        if self._process is None:
            return
        self._process.end()
        self._process = None
        self._paused = False

    def pause(self) -> None:
        """Freeze it with SIGSTOP: connections stay open, requests get no response."""
        if not self._paused:
            self._started().send_signal(signal.SIGSTOP)
            os.waitpid(self.pid, os.WUNTRACED)  # until its last thread has stopped
            self._paused = True

    def resume(self) -> None:
        """Continue after `pause`."""
        self._started().send_signal(signal.SIGCONT)
        self._paused = False

    def close(self) -> None:
        """Stop it and remove its folder, unless the folder was given."""
        self.stop()
        atexit.unregister(self.close)
        if self._temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> ChildProcess:
        if self._process is None:
            raise BrokerError("the broker is not started")
        return self._process

    def _launch(self) -> None:
        with (self.folder / "kafka.log").open("ab") as log:
            self._log_start = log.tell()
            self._process = ChildProcess(
                command(self.folder, self._jvm),
                cwd=self.folder,
                env=environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _answers(self, probe: Probe, deadline: float) -> bool:
        """Wait until it can be used. Return False if a port was taken."""
        while True:
            ready = probe.ready()
            if "failed to bind" in self._log_text():
                return False
            if ready:
                return True
            if not self.running:
                code = self._started().returncode
                raise BrokerError(self._with_log(f"Apache Kafka ended with exit code {code}"))
            if time.monotonic() > deadline:
                self.kill()
                raise BrokerError(self._with_log(f"Apache Kafka did not answer within {_START_TIMEOUT:.0f} s"))
            time.sleep(0.02)

    def _log_text(self) -> str:
        with (self.folder / "kafka.log").open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def _with_log(self, message: str) -> str:
        return "\n".join([f"{message}; its log ends:", *self._log_text().splitlines()[-_LOG_LINES:]])


def train() -> None:
    """Create Java's AOT cache by one start and stop (once per Java, some 10 s, 67 MB): later starts take half as long.

    It does nothing if Java is older than 25.
    """
    cache = aot_cache()
    if cache.exists() or java_version(java()) < _AOT_JAVA:
        return
    remove_old(cache.parent.glob("*.aot*"), _AOT_UNUSED)
    part = cache.with_name(f"{cache.name}.{uuid.uuid4().hex}")
    with Broker(jvm=(*QUICK_START, f"-XX:AOTCacheOutput={part}")) as broker:
        broker.stop(timeout=120.0)
    if part.exists():
        part.replace(cache)
