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

NAMES = [str(field.validation_alias) for field in BrokerSettings.model_fields.values()]

pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets a secret, and unsets what the tests' own environment may have."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("Quix__Broker__Address", "a:1")
    monkeypatch.setenv("Quix__Sdk__Token", "s3cret")


def stop_by(error: BaseException | None, env_file: Path | None = None) -> int:
    """Run a command that this error stops, and give its exit code."""

    def run(_settings: BrokerSettings) -> None:
        if error is not None:
            raise error

    return run_command(BrokerSettings, env_file, run)


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
    """Each kind of error has its exit code and line. Only unexpected errors have a stack trace."""
    assert stop_by(error) == exit_code

    err = capsys.readouterr().err
    assert err.splitlines()[0].endswith(
        f"starting: version={__version__} Quix__Broker__Address=a:1 Quix__Sdk__Token=*** LOG_LEVEL=INFO "
        "LOG_FORMAT=text HTTP_PORT=0 HTTP_HOST=127.0.0.1"
    )
    assert ("Traceback" in err) is has_trace
    if error is not None:
        line = err.splitlines()[1]
        assert level in line
        assert "why" in line or isinstance(error, KeyboardInterrupt)
    assert "s3cret" not in err


def test_debug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With LOG_LEVEL=DEBUG, every stop has a stack trace."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert stop_by(Misconfigured("why")) == 78
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("level", "is_shown"), [("INFO", False), ("DEBUG", True)])
def test_announce(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, *, is_shown: bool
) -> None:
    """A command that does not announce its settings logs them as DEBUG."""
    monkeypatch.setenv("LOG_LEVEL", level)
    assert run_command(BrokerSettings, None, lambda _: None, announce=False) == 0
    assert ("starting: " in capsys.readouterr().err) is is_shown


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, a stack trace is a part of its line, and the settings are members of theirs."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    assert stop_by(ValueError("why")) == 70

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"].startswith("starting: ")
    assert first["settings"] == {
        "version": __version__,
        "Quix__Broker__Address": "a:1",
        "Quix__Sdk__Token": "***",
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
        "HTTP_PORT": 0,
        "HTTP_HOST": "127.0.0.1",
    }
    assert second["level"] == "ERROR"
    assert "Traceback" in second["exception"]


@pytest.mark.parametrize("in_file", [False, True])
def test_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, *, in_file: bool
) -> None:
    """A wrong setting is one line of LOG_FORMAT and LOG_LEVEL, wherever they are set."""
    file = tmp_path / ".env"
    if in_file:
        file.write_text("LOG_FORMAT=json\nLOG_LEVEL=ERROR\nHTTP_PORTS=1\n")
    else:
        monkeypatch.setenv("LOG_FORMAT", "json")
    monkeypatch.setenv("HTTP_PORT", "-1")

    assert stop_by(None, file) == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "HTTP_PORT must be a port from 1 to 65535, or 0 for none (got '-1')"


def test_wrong_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An env file that cannot be read is one line, in the format that the environment asks for."""
    monkeypatch.setenv("LOG_FORMAT", "json")
    assert stop_by(None, tmp_path) == 78
    assert json.loads(capsys.readouterr().err)["message"].startswith(f"{tmp_path} must be a file")


COMMANDS = {
    "run": Command(lambda arguments: 10 + len(arguments), "run it"),
    "look": Command(lambda arguments: 20 + len(arguments), "look at it"),
}


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [([], 10), (["run"], 10), (["run", "a"], 11), (["look"], 20), (["look", "--help"], 21), (["look", "run", "x"], 22)],
)
def test_chosen(arguments: list[str], exit_code: int) -> None:
    """The first argument names the command, which gets the others. Without any it is the default one."""
    assert dispatch("what it is", COMMANDS, "run", arguments) == exit_code


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["--version=1"]])
def test_wrong(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A wrong command line ends in 2, and says what is wrong."""
    with pytest.raises(SystemExit) as ended:
        dispatch("what it is", COMMANDS, "run", arguments)
    assert ended.value.code == 2
    assert arguments[0].partition("=")[0] in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--help says what it is, and lists --version and every command with its line. It ends in 0."""
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
    """The import of pipeline.py does not wait for what only another command or the HTTP port needs."""
    shown = """
import sys, pipeline
from runtime.settings import BrokerSettings
print([name for name in sys.modules if name.startswith(("prometheus_client", "tools", "waitress"))])
print(BrokerSettings.__pydantic_complete__)  # whether pydantic has built its validator
"""
    run = subprocess.run(
        [sys.executable, "-c", shown], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\nFalse\n"
