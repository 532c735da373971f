"""Distributions: buckets, weights and quantiles."""

import math

import pytest

from runtime.observe.distribution import Distribution, quantile


def of(*values: tuple[float, int]) -> Distribution:
    """A distribution of these values with their weights."""
    distribution = Distribution((1, 10, 100))
    for value, weight in values:
        distribution.add(value, weight)
    return distribution


def test_cumulative() -> None:
    """A value belongs to the first bound that it does not exceed, as often as its weight. The last bound has no end."""
    distribution = of((0.5, 1), (1, 2), (1.5, 3), (1000, 4))
    assert distribution.cumulative() == [(1, 3), (10, 6), (100, 6), (math.inf, 10)]
    assert distribution.sum == 0.5 + 2 + 4.5 + 4000
    assert distribution.count == 10


@pytest.mark.parametrize(
    ("share", "distributions", "expected"),
    [
        (0.5, [], None),
        (0.5, [of()], None),
        (0.5, [of((5, 100))], 5.5),
        (0.99, [of((5, 100))], 9.91),
        (0.5, [of((0.5, 50)), of((5, 50))], 1.0),
        (0.99, [of((0.5, 50)), of((5, 50))], 9.82),
        (0.99, [of((0.5, 1), (10_000, 1))], 100),
    ],
)
def test_quantile(share: float, distributions: list[Distribution], expected: float | None) -> None:
    """A quantile of several distributions is interpolated between two bounds. Above the last it is that bound."""
    found = quantile(share, distributions)
    assert found == (None if expected is None else pytest.approx(expected))
