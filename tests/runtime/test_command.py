"""run_command: an exit code and one line for each error."""

import json

import pytest

from runtime.command import run_command
from runtime.errors import Failed, Misconfigured, Refused, Stopped, Unavailable
from runtime.settings import BrokerSettings

SETTINGS = BrokerSettings.model_validate({"Quix__Broker__Address": "a:1", "BROKER_SASL_PASSWORD": "s3cret"})


pytestmark = pytest.mark.usefixtures("logging_as_before")


def stop_by(error: BaseException | None, **settings: str) -> int:
    """Run a command that this error stops; give its exit code."""

    def run(_settings: BrokerSettings) -> None:
        if error is not None:
            raise error

    return run_command(lambda: SETTINGS.model_copy(update=settings), run)


@pytest.mark.parametrize(
    ("error", "exit_code", "level", "has_trace"),
    [
        (None, 0, "INFO", False),
        (Stopped("why"), 0, "INFO", False),
        (Misconfigured("why"), 78, "ERROR", False),
        (Refused("why"), 77, "ERROR", False),
        (Unavailable("why"), 69, "ERROR", False),
        (Failed("why"), 70, "ERROR", False),
        (ValueError("why"), 70, "ERROR", True),
        (KeyboardInterrupt(), 70, "ERROR", False),
    ],
)
def test_exit_code(
    capsys: pytest.CaptureFixture[str], error: BaseException | None, exit_code: int, level: str, *, has_trace: bool
) -> None:
    """Each kind of error has its exit code and line; only unexpected errors have a stack trace."""
    assert stop_by(error) == exit_code

    err = capsys.readouterr().err
    assert err.splitlines()[0].endswith(
        "starting: Quix__Broker__Address=a:1 BROKER_SASL_PASSWORD=*** LOG_LEVEL=INFO LOG_FORMAT=text HEALTH_PORT=0"
    )
    assert ("Traceback" in err) is has_trace
    if error is not None:
        line = err.splitlines()[1]
        assert level in line
        assert "why" in line or isinstance(error, KeyboardInterrupt)
    assert "s3cret" not in err


def test_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """With LOG_LEVEL=DEBUG, every stop has a stack trace."""
    assert stop_by(Misconfigured("why"), log_level="DEBUG") == 78
    assert "Traceback" in capsys.readouterr().err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, a stack trace is a part of its line."""
    assert stop_by(ValueError("why"), log_format="json") == 70

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"].startswith("starting: ")
    assert second["level"] == "ERROR"
    assert "Traceback" in second["exception"]


def test_wrong_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong setting is one line, before the log format is known."""

    def load() -> BrokerSettings:
        raise Misconfigured("LOG_LEVEL is 'LOUD'")

    assert run_command(load, lambda _settings: None) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("LOG_LEVEL is 'LOUD'")
