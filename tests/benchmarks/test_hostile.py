"""The benchmark of hostile values. Its times are not checked, as a busy machine is slow."""

import pytest

from benchmarks import hostile
from faults.oracle import assert_kept
from transforms import upper_device_type


@pytest.mark.parametrize("name", hostile.SHAPES)
def test_outcome(name: str) -> None:
    """The transform's output of each shape is right by the oracle."""
    value = hostile.of_size(hostile.SHAPES[name], 2_000)
    assert_kept(value, upper_device_type(value))


@pytest.mark.parametrize(("limit", "code"), [(0.0, 1), (1e9, 0)])
def test_limit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], limit: float, code: int) -> None:
    """The benchmark exits with 1 if a value takes more than the limit, and shows each shape at each size."""
    monkeypatch.setattr(hostile, "LIMIT", limit)
    assert hostile.main(["numbers", "quotes"], [100, 200]) == code
    head, numbers, quotes, _ = capsys.readouterr().out.splitlines()
    assert head.split()[1:] == ["100", "B", "200", "B", "outcome"]
    assert (numbers.split()[0], numbers.split()[-1]) == ("numbers", "not_an_object")
    assert (quotes.split()[0], quotes.split()[-1]) == ("quotes", "invalid_json")
