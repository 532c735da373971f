"""Runs `tail` in this process."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from runtime.settings import Settings
from runtime.stop.signals import stop_request
from tests.kafka import Kafka
from tools.tail.command import main


class Shown(NamedTuple):
    """The exit code, and the lines of both streams."""

    code: int
    out: list[str]
    err: list[str]


Tail = Callable[..., Shown]


@pytest.fixture
def tail(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> Iterator[Tail]:
    """Runs `tail` for an output topic: `tail(target, "-n", "3", input=source)`."""
    _ = logging_as_before
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)

    def run(target: str, *arguments: str, **settings: str) -> Shown:
        own = {"Quix__Broker__Address": kafka.address, "input": target + "-in", "output": target, **settings}
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        code = main(arguments)
        out, err = capsys.readouterr()
        return Shown(code, out.splitlines(), err.splitlines())

    yield run
    stop_request.begin()
