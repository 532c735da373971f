"""Waits for a condition: the one way to do so in tests, tools, faults and benchmarks."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def wait_until(condition: Callable[[], _T], what: str, timeout: float = 60.0, interval: float = 0.02) -> _T:
    """Return the condition's first true result.

    Args:
        condition: called again and again.
        what: what is waited for, for the error.
        timeout: seconds.
        interval: seconds between two calls.

    Raises:
        TimeoutError: the condition was not true in time.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(interval)
    return result
