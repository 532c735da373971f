"""Wrong settings and files of settings, as `python pipeline.py` reports them: each has a row in docs/errors.md."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import pipeline
from runtime.settings import Settings
from tests.errors_page import check_row
from tools.check import command

pytestmark = pytest.mark.usefixtures("logging_as_before")

SASL = {"BROKER_SASL_MECHANISM": "PLAIN", "BROKER_SASL_USERNAME": "alice", "BROKER_SASL_PASSWORD": "s3cret"}
CA = {"BROKER_SECURITY_PROTOCOL": "ssl", "BROKER_SSL_CA_LOCATION": "<ca.pem>"}


class Wrong(NamedTuple):
    """Settings, in which `<ca.pem>` is a path, and what makes that file and `.env`, if they exist."""

    settings: Mapping[str, str] = {}
    make_env_file: Callable[[Path], object] = Path.touch
    make_ca: Callable[[Path], object] = Path.touch


SITUATIONS: dict[str, Wrong] = {
    "credentials without `BROKER_SECURITY_PROTOCOL`": Wrong(SASL),
    "credentials with TLS alone": Wrong(SASL | {"BROKER_SECURITY_PROTOCOL": "ssl"}),
    "a CA without `BROKER_SECURITY_PROTOCOL`": Wrong(
        {"BROKER_SSL_CA_LOCATION": "<ca.pem>"}, make_ca=lambda file: file.write_text("-----BEGIN CERTIFICATE-----")
    ),
    "a password for the client's key with `sasl_plaintext`": Wrong(
        SASL | {"BROKER_SECURITY_PROTOCOL": "sasl_plaintext", "BROKER_SSL_KEY_PASSWORD": "s3cret"}
    ),
    "a CA file that is missing": Wrong(CA, make_ca=lambda _: None),
    "a CA file that is a folder": Wrong(CA, make_ca=Path.mkdir),
    "a CA file that is empty": Wrong(CA),
    "a password with a line break at its end": Wrong(SASL | {"BROKER_SASL_PASSWORD": "s3cret\n"}),
    "a user name that is not UTF-8": Wrong(SASL | {"BROKER_SASL_USERNAME": "alice\udce4"}),
    "an address without a port": Wrong({"Quix__Broker__Address": "kafka"}),
    "an address with a port out of range": Wrong({"Quix__Broker__Address": "kafka:92092"}),
    "an address with a port in other digits": Wrong({"Quix__Broker__Address": "kafka:٩٠٩٢"}),
    "an address that is a URL": Wrong({"Quix__Broker__Address": "http://kafka:9092"}),
    "an address with a password": Wrong({"Quix__Broker__Address": "alice:s3cret@kafka:9092"}),
    "a topic named `..`": Wrong({"output": ".."}),
    "a topic of Kafka's own": Wrong({"input": "__consumer_offsets"}),
    "a value in quotes, which `docker run --env-file` keeps": Wrong({"Quix__Consumer_Group": '"user-login-pipeline"'}),
    "a value with a space at its end": Wrong({"PROCESSING_GUARANTEE": "exactly-once "}),
    "a setting's name of version 0.1": Wrong({"HEALTH_PORT": "8080"}),
    "a setting's name of version 0.1 in `.env`": Wrong(make_env_file=lambda file: file.write_text("HEALTH_PORT=8080")),
    "two wrong settings": Wrong({"COMMIT_EVERY": "ten", "COMMIT_INTERVAL": "1,5"}),
    "a wrong setting, and `LOG_FORMAT=json`": Wrong({"LOG_FORMAT": "json", "COMMIT_EVERY": "0"}),
    "a wrong setting, and `LOG_FORMAT=json` in `.env`": Wrong(
        {"COMMIT_EVERY": "0"}, lambda file: file.write_text("LOG_FORMAT=json")
    ),
    "`.env` in UTF-16": Wrong(make_env_file=lambda file: file.write_text("input=logins", "utf-16")),
    "`.env` in Latin-1": Wrong(make_env_file=lambda file: file.write_text("input=täglich", "latin-1")),
    "`.env` is a folder": Wrong(make_env_file=Path.mkdir),
    "`.env` is a pipe": Wrong(make_env_file=os.mkfifo),
    "`.env` is a link to itself": Wrong(make_env_file=lambda file: file.symlink_to(file)),
    "`.env` with a line that is no setting": Wrong(
        make_env_file=lambda file: file.write_text("COMMIT_EVERY=3\nCOMMIT_INTERVAL 2\n")
    ),
}
"""Each ends in 78, before the broker is asked."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unsets what the tests' own environment may have, and lets the pipeline look for `.env` in an empty folder."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    for module in (pipeline, command):
        monkeypatch.setattr(module, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr("sys.argv", ["pipeline.py"])


@pytest.mark.parametrize("situation", SITUATIONS)
def test_situation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, situation: str
) -> None:
    """A wrong setting ends in 78 with one line, which names it and has no secret. `check` says the same."""
    wrong, authority = SITUATIONS[situation], tmp_path / "ca.pem"
    wrong.make_env_file(tmp_path / ".env")
    wrong.make_ca(authority)
    for name, value in wrong.settings.items():
        monkeypatch.setenv(name, value.replace("<ca.pem>", str(authority)))

    assert pipeline.main() == 78
    (line,) = capsys.readouterr().err.splitlines()
    assert "s3cret" not in line
    assert command.main(["--json"]) == 78
    found = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    (said,) = (each["detail"] for each in found if each["state"] == "wrong")
    assert said in (json.loads(line)["message"] if line.startswith("{") else line)
    check_row("Settings", situation, 78, line, {r'"time": "[^"]*"': '"time": "2026-01-01T00:00:00.000+00:00"'})


def test_unreadable(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """If this user may not read `.env`, the pipeline ends in 78 with one line, which has its path."""
    (tmp_path / ".env").touch(mode=0)
    user = os.geteuid()
    if user == 0:  # root may read each file
        os.seteuid(65_534)
    try:
        assert pipeline.main() == 78
    finally:
        os.seteuid(user)
    (line,) = capsys.readouterr().err.splitlines()
    check_row("Settings", "`.env` that this user may not read", 78, line)


def test_unknown_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A name in `.env` that no setting has is a warning with the nearest name, and the pipeline goes on."""
    started: list[Settings] = []
    monkeypatch.setattr(pipeline, "run", started.append)
    (tmp_path / ".env").write_text("COMIT_EVERY=3\nKAFKA_PORT=1\n")

    assert pipeline.main() == 0
    assert [settings.commit_every for settings in started] == [10]
    line, start = capsys.readouterr().err.splitlines()
    assert "starting: " in start
    check_row("Settings", "a name in `.env` that no setting has", None, line)
