"""The result of one check."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from loguru import logger


class Finding(NamedTuple):
    """One line of `check`.

    Attributes:
        state: `ok`, `warning`, or `wrong`.
        subject: what was checked.
        detail: what was found; if it is not `ok`, also what to do.
        exit_code: the exit code of `run` because of it; 0 unless it is `wrong`.
    """

    state: Literal["ok", "warning", "wrong"]
    subject: str
    detail: str
    exit_code: int = 0

    def __str__(self) -> str:
        return f"{self.state:7} {self.subject}: {self.detail}"


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect what runtime/ logs as a warning."""
    warnings: list[str] = []
    handler = logger.add(
        lambda message: warnings.append(message.record["message"]),
        level="WARNING",
        filter=lambda record: (record["name"] or "").startswith("runtime."),
    )
    try:
        yield warnings
    finally:
        logger.remove(handler)
