"""Runs `replay` in this process."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from runtime.settings import Settings
from runtime.stop.signals import stop_request
from tests.kafka import Kafka
from tools.replay.command import main


class Replayed(NamedTuple):
    """The exit code, the report of --json, and the lines of standard error."""

    code: int
    report: dict[str, Any]
    err: list[str]

    @property
    def sent(self) -> int:
        """How many records were sent."""
        return int(self.report["total"]["sent"])

    def counts(self, *names: str) -> list[int]:
        """The totals of these outcomes."""
        return [self.report["total"][name] for name in names]


RunReplay = Callable[..., Replayed]


@pytest.fixture
def replay(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> Iterator[RunReplay]:
    """Runs `replay --json` for an input topic and its dead letters: `replay(source, dead, "--limit", "3")`."""
    _ = logging_as_before
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)

    def run(source: str, dead: str, *arguments: str, **settings: str) -> Replayed:
        own = {"Quix__Broker__Address": kafka.address, "input": source, "output": "out", "dead_letter": dead}
        for name, value in {**own, "Quix__Consumer_Group": f"group-{source}", **settings}.items():
            monkeypatch.setenv(name, value)
        code = main(["--json", *arguments])
        out, err = capsys.readouterr()
        return Replayed(code, json.loads(out) if out else {}, err.splitlines())

    yield run
    stop_request.begin()
