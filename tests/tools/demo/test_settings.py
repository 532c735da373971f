"""The demo's settings: which are refused, and what its processes get."""

from pathlib import Path

import pytest

from tests.errors_page import check_row
from tools.demo.run import main
from tools.demo.session import DemoSettings, environment

ELSEWHERE = {
    "Quix__Broker__Address": "no.such.host:1",
    "Quix__Sdk__Token": "of-another-broker",
    "Quix__State__Management__Enabled": "true",
    "BROKER_SECURITY_PROTOCOL": "ssl",
    "input": "elsewhere",
    "output": "elsewhere-too",
    "dead_letter": "elsewhere-as-well",
    "KAFKA_TOPIC": "elsewhere",
    "COUNT": "1",
    "AUTO_OFFSET_RESET": "latest",
}
"""The settings for another broker."""

ROWS = {
    "demo: a DEMO_SECONDS that is no number": {"DEMO_SECONDS": "soon"},
    "demo: a MALFORMED that is no number": {"MALFORMED": "many"},
    "demo: two settings that are wrong": {"RATE": "fast", "COMMIT_EVERY": "0"},
    "demo: a setting that has another name now": {"HEALTH_PORT": "8080"},
}


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> tuple[int, str]:
    """The exit code and the only line of a demo with these settings."""
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    code = main()
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return code, line


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("name", ROWS)
def test_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A wrong setting ends the demo with one line and 78, before anything starts."""
    code, line = refused(monkeypatch, capsys, ROWS[name])
    check_row("Tools", name, code, line)
    assert code == 78


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEMO_SECONDS", "0"),
        ("DEMO_SECONDS", "-1"),
        ("DEMO_SECONDS", "nan"),
        ("RATE", "-1"),
        ("MALFORMED", "1.5"),
        ("SEED", "-1"),
        ("HTTP_PORT", "http"),
        ("LOG_LEVEL", "LOUD"),
        ("COMMIT_INTERVAL", "60"),
        ("PROCESSING_GUARANTEE", "maybe-once"),
    ],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str) -> None:
    """A wrong setting of the demo, of its generator and of its workers is named, with its value."""
    code, line = refused(monkeypatch, capsys, {name: value})
    assert code == 78
    assert line.startswith(f"demo: {name} must be ")
    assert line.endswith(f"(got {value!r})")


def test_wrong_line_in_dotenv(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A wrong setting in `.env`, which the workers read, is refused in the same way."""
    (tmp_path / ".env").write_text("COMMIT_EVERY=ten\n")
    monkeypatch.setattr("tools.demo.run.ENV_FILE", tmp_path / ".env")
    assert refused(monkeypatch, capsys, {}) == (
        78,
        "demo: COMMIT_EVERY must be a whole number from 1 to 1000000 (got 'ten')",
    )


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes get the demo's broker and topics, not the environment's. An empty variable means the default."""
    for variable, value in {**ELSEWHERE, **dict.fromkeys(("RATE", "MALFORMED", "SEED", "DEMO_SECONDS"), "")}.items():
        monkeypatch.setenv(variable, value)
    given = environment("127.0.0.1:4711")
    settings = DemoSettings.load(None, given)
    assert (settings.address, settings.sdk_token, settings.security_protocol) == ("127.0.0.1:4711", None, None)
    assert (*settings.topics, settings.auto_offset_reset) == ("user-login", "processed-user-login", "earliest")
    assert (settings.rate, settings.malformed, settings.seed, settings.count, settings.seconds) == (
        50,
        0.05,
        None,
        0,
        None,
    )
    assert "Quix__State__Management__Enabled" not in given
