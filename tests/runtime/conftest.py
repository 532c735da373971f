"""Fixtures of the runtime's tests."""

from collections.abc import Iterator

import pytest
from loguru import logger

from tools.broker import ports


@pytest.fixture
def free_port() -> int:
    """A TCP port without a listener."""
    return ports.free_port()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log lines of the test, each as level and message."""
    logged: list[str] = []
    sink = logger.add(lambda line: logged.append(str(line).strip()), format="{level} {message}", level=0)
    yield logged
    logger.remove(sink)
