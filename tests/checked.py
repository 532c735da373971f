"""Compares `python pipeline.py check` with `run` in the same situation."""

import re

from tests.kafka import TIMEOUT
from tests.process import Pipeline

_DIFFERS = {
    r"; ended by force after .*": "",
    r"\b\d+ ?m?s\b": "some time",
    r"(refused [^:]*): .*": r"\1",
    r"\d of its": "some of its",
}
"""What may differ: times, librdkafka's text after a refusal, how many replicas are in sync, a forced end."""


def assert_says_the_same(check: Pipeline, run: Pipeline) -> None:
    """Fail unless `check` ended with the exit code of `run`, and the error line of `run` is one of its wrong ones."""
    code = run.wait(2 * TIMEOUT)
    assert check.wait(2 * TIMEOUT) == code, f"{check.log}\n{run.log}"
    assert "Traceback" not in check.log
    (error,) = (line.partition(" | ")[2] for line in run.lines if re.match(r"\S+ \S+ ERROR ", line))
    wrong = [_without_differences(line) for line in check.lines if line.startswith("wrong ")]
    assert any(line.endswith(_without_differences(error)) for line in wrong), f"{check.log}\n{run.log}"


def _without_differences(line: str) -> str:
    for pattern, text in _DIFFERS.items():
        line = re.sub(pattern, text, line)
    return line
