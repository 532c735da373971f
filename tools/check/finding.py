"""The result of one check."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Literal, NamedTuple

from loguru import logger

from runtime.errors import Failed, PipelineError
from runtime.stop.signals import stop_request


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


Check = Callable[[], Iterator[Finding]]


def findings_of(subject: str, check: Check, explain: Callable[[Exception], PipelineError]) -> list[Finding]:
    """Run a check. An error becomes a finding, too."""
    found: list[Finding] = []
    try:
        _refuse_stop()
        found += check()
    except Exception as error:  # noqa: BLE001  (each error becomes a finding)
        known = explain(error)
        found.append(Finding("wrong", subject, str(known), known.exit_code))
    return found


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Collect what runtime/ logs as a warning in this thread."""
    warnings: list[str] = []
    thread = get_ident()
    handler = logger.add(
        lambda message: warnings.append(message.record["message"]),
        level="WARNING",
        filter=lambda record: record["thread"].id == thread and (record["name"] or "").startswith("runtime."),
    )
    try:
        yield warnings
    finally:
        logger.remove(handler)


def _refuse_stop() -> None:
    if stop_request.requested:
        raise Failed("interrupted before the end")
