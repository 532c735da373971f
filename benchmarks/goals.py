"""The performance goals, and whether a run of the benchmark met them."""

from dataclasses import dataclass
from typing import Literal

from benchmarks.peers import BARE, ORIGINAL, OURS, OURS_AT_LEAST_ONCE, STOCK, STOCK_AT_LEAST_ONCE
from benchmarks.results import LATENCY, LONG, MALFORMED, THROUGHPUT, Results


@dataclass(frozen=True)
class Goal:
    """One figure and its bound; the figure is None if it was not measured."""

    what: str
    figure: float | None
    bound: float
    kind: Literal["at least", "at most"]
    unit: str = "x"

    @property
    def reached(self) -> bool | None:
        """Whether the figure is within the bound."""
        if self.figure is None:
            return None
        return self.figure >= self.bound if self.kind == "at least" else self.figure <= self.bound

    @property
    def verdict(self) -> str:
        """The result in words."""
        return {True: "reached", False: "**not reached**", None: "not measured"}[self.reached]


def goals(results: Results) -> list[Goal]:
    """All goals with their figures; ratios are between runs of the same round."""

    def throughput_ratio(other: str) -> float | None:
        return results.ratio(THROUGHPUT, "records_per_second", OURS, other)

    def latency_ratio(other: str) -> float | None:
        return results.ratio(LATENCY, "p99_ms", OURS, other, 1000)

    return [
        Goal("throughput, exactly-once, over stock Quix exactly-once", throughput_ratio(STOCK), 4.5, "at least"),
        Goal("throughput, exactly-once, over the original script", throughput_ratio(ORIGINAL), 10, "at least"),
        Goal("throughput, exactly-once, over the bare confluent-kafka loop", throughput_ratio(BARE), 0.85, "at least"),
        Goal(
            "throughput, exactly-once, over our at-least-once", throughput_ratio(OURS_AT_LEAST_ONCE), 0.95, "at least"
        ),
        Goal(
            "CPU for each record, exactly-once, over the bare confluent-kafka loop",
            results.ratio(THROUGHPUT, "cpu_us", OURS, BARE),
            1.25,
            "at most",
        ),
        Goal(
            "p99 latency, exactly-once, 1,000/s, over stock at-least-once",
            latency_ratio(STOCK_AT_LEAST_ONCE),
            2,
            "at most",
        ),
        Goal("p99 latency, exactly-once, 1,000/s, over stock exactly-once", latency_ratio(STOCK), 1 / 50, "at most"),
        Goal("all records malformed, over stock Quix on well-formed ones", _malformed(results), 1, "at least"),
        Goal("peak memory of the long run", results.median(LONG, OURS, "peak_mb"), 200, "at most", "MB"),
        Goal(
            "growth of its memory once settled (the tolerance is the allocator's)",
            results.median(LONG, OURS, "growth_mb"),
            5,
            "at most",
            "MB",
        ),
    ]


def _malformed(results: Results) -> float | None:
    """Our rate with all records malformed, over stock Quix's with none malformed."""
    ours = {row.round: row for row in results.rows if (row.experiment, row.peer, row.setting) == _ALL_MALFORMED}
    found = sorted(
        ours[row.round].figures["records_per_second"] / row.figures["records_per_second"]
        for row in results.rows
        if (row.experiment, row.peer) == (MALFORMED, STOCK) and row.round in ours
    )
    return found[len(found) // 2] if found else None


_ALL_MALFORMED = (MALFORMED, OURS, "100 %")
