"""Counts values by size, as a histogram of Prometheus does, but with a weight for each value."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence


class Distribution:
    """How many values were at most as large as each bound.

    Args:
        bounds: the upper bounds, in ascending order; larger values are counted, too.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = (*bounds, math.inf)
        self.counts = [0] * len(self.bounds)
        """By bound, how many values are at most as large and larger than the bound before."""
        self.sum = 0.0

    def add(self, value: float, weight: int = 1) -> None:
        """Count a value `weight` times."""
        self.counts[bisect_left(self.bounds, value)] += weight
        self.sum += value * weight

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[float, int]]:
        """Give each bound, and how many values are at most as large."""
        total, pairs = 0, []
        for bound, count in zip(self.bounds, self.counts, strict=True):
            total += count
            pairs.append((bound, total))
        return pairs


def quantile(share: float, distributions: Iterable[Distribution]) -> float | None:
    """Estimate the value that this share of all values does not exceed, or None if there are no values.

    Values are taken as evenly spread between two bounds, and as the last bound if they are larger.
    """
    found = list(distributions)
    counts = [sum(column) for column in zip(*(each.counts for each in found), strict=True)]
    left = share * sum(counts)
    lower = 0.0
    for bound, count in zip(found[0].bounds if found else (), counts, strict=True):
        if count and left <= count:
            return lower if math.isinf(bound) else lower + (bound - lower) * left / count
        left -= count
        lower = bound
    return None
