"""Fixtures of the runtime's tests."""

import socket
from collections.abc import Iterator

import pytest
from loguru import logger


@pytest.fixture
def free_port() -> int:
    """A TCP port without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log lines of the test, each as level and message."""
    logged: list[str] = []
    sink = logger.add(lambda line: logged.append(str(line).strip()), format="{level} {message}", level=0)
    yield logged
    logger.remove(sink)
