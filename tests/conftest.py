"""Fixtures for all tests: a broker per session, topics per test, and a check that no process is left behind."""

import fcntl
import logging
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings
from loguru import logger

from tests.brokers import STEADY
from tests.kafka import Kafka
from tests.process import SCRIPT, Pipelines
from tools.broker.embedded import Broker, train

collect_ignore = ["browser", "compose"]  # need Chromium, and a Docker engine: `make test-browser`, `make test-compose`

settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("thorough", settings.get_profile("ci"), derandomize=False, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Let children receive each signal, even if ours are ignored, as under `nohup` or in a background job.

    A child inherits that a signal is ignored, but not that it is handled. The process that only starts the workers of
    pytest-xdist keeps ignoring it.
    """
    starts_workers = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if not starts_workers and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _ignore)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """One broker for all tests. A test that stops or kills one starts its own."""
    train()  # tests start a dozen of them
    with Broker(properties={**STEADY, "log.cleaner.backoff.ms": "500"}) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(broker: Broker) -> Kafka:
    """A client of the session's broker."""
    return Kafka(broker.address)


@pytest.fixture(scope="module")
def many_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lets one module at a time start many processes: on two cores, more would take longer than the product waits."""
    of_all_workers = tmp_path_factory.getbasetemp().parent
    with (of_all_workers / "many-processes.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield


@pytest.fixture
def topics(kafka: Kafka) -> Callable[..., str]:
    """Makes topics that no other test has: `topics("input", partitions=3, config={...})` returns the name."""

    def create(name: str, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        return kafka.create_topic(f"{name}-{uuid.uuid4().hex[:8]}", partitions, config)

    return create


@pytest.fixture(scope="session")
def script() -> Path:
    """The script that `pipelines` starts: `pipeline.py`, unless a module or a folder overrides it."""
    return SCRIPT


@pytest.fixture
def pipelines(kafka: Kafka, script: Path, tmp_path: Path) -> Iterator[Pipelines]:
    """Starts pipelines on the broker of `kafka`. They end with the test."""
    with Pipelines(kafka.address, tmp_path, script) as pipelines:
        yield pipelines


@pytest.fixture(scope="module")
def shared_pipelines(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipelines]:
    """Starts pipelines that the tests of a module share. They end with the module."""
    with Pipelines(kafka.address, tmp_path_factory.mktemp("pipelines")) as pipelines:
        yield pipelines


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A file for SLOW_WHILE of tests/parity/run_pipeline.py. Removing it ends the delay."""
    file = tmp_path / "slow"
    file.touch()
    return file


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Restores the standard library's logging, and removes loguru's handlers."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logger.remove()


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    """Fails a test that leaves a child process behind, except a broker. It needs /proc, so it checks only on Linux."""
    before = _children()
    yield
    left = _children() - before
    assert not left, f"the test left processes behind: {sorted(left)}"


def _children() -> set[str]:
    """The ids of this process's children, zombies included."""
    found: set[str] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            found.update(file.read_text().split())
    return {pid for pid in found if not _stays(pid)}


def _stays(pid: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended, and a thread has waited for it
        return False
    return b"kafka.Kafka" in command or b"fork_server.py" in command
