"""Fixtures of the broker's tests."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _signal_as_before() -> Iterator[None]:
    """Handle SIGTERM as before a test that ran the tool in this process."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
