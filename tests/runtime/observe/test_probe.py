"""The image's health check."""

import pytest

from runtime.observe.health import Health
from runtime.observe.probe import ask, main


@pytest.mark.parametrize("problems", [[], ["one", "two"]])
def test_ask(problems: list[str], free_port: int) -> None:
    """It gives whether /ready answers 200, and the body."""
    with Health(lambda: problems).served("", free_port):
        assert ask(free_port) == (not problems, "\n".join(problems or ["ok"]))


def test_no_answer(free_port: int) -> None:
    """If no process listens, the pipeline is not ready, and the port is named."""
    is_ready, answer = ask(free_port)
    assert not is_ready
    assert answer.startswith(f"no answer on port {free_port}: ")


@pytest.mark.parametrize("answer", [(True, "ok"), (False, "one\ntwo")])
def test_exit_code(
    answer: tuple[bool, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the answer and ends with 0 if the pipeline is ready, otherwise with 1."""
    monkeypatch.setenv("HTTP_PORT", "8080")
    monkeypatch.setenv("HTTP_HOST", "::1")
    monkeypatch.setattr("runtime.observe.probe.ask", lambda *place: {(8080, "::1"): answer}[place])
    assert main() == (0 if answer[0] else 1)
    assert capsys.readouterr().out == f"{answer[1]}\n"


@pytest.mark.parametrize("value", ["0", "", None])
def test_probe_off(value: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """If HTTP_PORT is 0, the health check passes and says so."""
    monkeypatch.delenv("HTTP_PORT", raising=False)
    if value is not None:
        monkeypatch.setenv("HTTP_PORT", value)
    assert main() == 0
    assert capsys.readouterr().out == "not checked: HTTP_PORT is 0\n"
