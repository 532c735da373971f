"""The command line: the selected command, one line for each error, and the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import __version__
from runtime.command import Command, dispatch, run_command
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
        f"starting: version={__version__} Quix__Broker__Address=a:1 BROKER_SASL_PASSWORD=*** LOG_LEVEL=INFO "
        "LOG_FORMAT=text HEALTH_PORT=0"
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
    """As JSON, a stack trace is a part of its line, and the settings are members of theirs."""
    assert stop_by(ValueError("why"), log_format="json") == 70

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"].startswith("starting: ")
    assert first["settings"] == {"version": __version__, **SETTINGS.effective(), "LOG_FORMAT": "json"}
    assert first["settings"]["BROKER_SASL_PASSWORD"] == "***"
    assert first["settings"]["HEALTH_PORT"] == 0
    assert second["level"] == "ERROR"
    assert "Traceback" in second["exception"]


def test_wrong_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong setting is one line, before the log format is known."""

    def load() -> BrokerSettings:
        raise Misconfigured("LOG_LEVEL is 'LOUD'")

    assert run_command(load, lambda _settings: None) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("LOG_LEVEL is 'LOUD'")


COMMANDS = {
    "run": Command(lambda arguments: 10 + len(arguments), "run it"),
    "look": Command(lambda arguments: 20 + len(arguments), "look at it"),
}


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [([], 10), (["run"], 10), (["run", "a"], 11), (["look"], 20), (["look", "--help"], 21), (["look", "run", "x"], 22)],
)
def test_chosen(arguments: list[str], exit_code: int) -> None:
    """The first argument names the command, which gets the others; without any it is the default one."""
    assert dispatch("what it is", COMMANDS, "run", arguments) == exit_code


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["--version=1"]])
def test_wrong(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A wrong command line ends in 2, and says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        dispatch("what it is", COMMANDS, "run", arguments)
    assert ended.value.code == 2
    assert arguments[0].partition("=")[0] in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help says what it is and lists every command with its line, and --version; it ends in 0."""
    with pytest.raises(SystemExit) as ended:
        dispatch("what it is", COMMANDS, "run", ["--help"])
    assert not ended.value.code
    shown = capsys.readouterr().out
    assert all(f"{name} " in shown and command.summary in shown for name, command in COMMANDS.items())
    assert "what it is" in shown
    assert "--version" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the program and its version."""
    with pytest.raises(SystemExit) as ended:
        dispatch("what it is", COMMANDS, "run", ["--version"])
    assert not ended.value.code
    assert capsys.readouterr().out == f"user-login-pipeline {__version__}\n"


def test_imports() -> None:
    """What runs the pipeline does not wait for what only another command needs."""
    shown = "import sys, pipeline; print(sorted(name for name in sys.modules if name.startswith('tools')))"
    run = subprocess.run(
        [sys.executable, "-c", shown], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
