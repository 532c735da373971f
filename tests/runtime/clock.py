"""A clock for tests, in place of time.monotonic."""


class Clock:
    """A clock that only moves when a test sets `now`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now
