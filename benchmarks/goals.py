"""The performance goals, and whether a run of the benchmark met them."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from benchmarks.engines import BENTO, FLINK, FRANZ_GO, KAFKA_STREAMS
from benchmarks.peers import BARE, ORIGINAL, OURS, OURS_AT_LEAST_ONCE, STOCK, STOCK_AT_LEAST_ONCE
from benchmarks.results import ENGINES, ENGINES_LATENCY, LATENCY, LONG, MALFORMED, THROUGHPUT, Results


@dataclass(frozen=True)
class Goal:
    """One figure and its bound; the figure is None if it was not measured."""

    what: str
    figure: float | None
    kind: Literal["at least", "at most"]
    bound: float
    unit: str = "x"

    @property
    def verdict(self) -> str:
        """The result in words."""
        if self.figure is None:
            return "not measured"
        reached = self.figure >= self.bound if self.kind == "at least" else self.figure <= self.bound
        return "reached" if reached else "**not reached**"


def goals(results: Results) -> list[Goal]:
    """The goals of what was run, with their figures; ratios are between runs of the same round."""
    return _goals_of_engines(results) if results.peers(ENGINES) else _goals_of_all_else(results)


def _goals_of_engines(results: Results) -> list[Goal]:
    rate = partial(results.ratio, ENGINES, "records_per_second", OURS)
    p99 = results.ratio(ENGINES_LATENCY, "p99_ms", OURS, KAFKA_STREAMS, (1000, 1000))
    return [
        Goal("throughput, exactly-once, over Kafka Streams exactly_once_v2", rate(KAFKA_STREAMS), "at least", 1.4),
        Goal("throughput, exactly-once, over Flink at-least-once", rate(FLINK), "at least", 1),
        Goal("throughput, exactly-once, over the franz-go loop", rate(FRANZ_GO), "at least", 1),
        Goal("throughput, exactly-once, over Bento", rate(BENTO), "at least", 4),
        Goal("p99 latency, exactly-once, 1,000/s, over Kafka Streams exactly_once_v2", p99, "at most", 0.5),
    ]


def _goals_of_all_else(results: Results) -> list[Goal]:
    rate = partial(results.ratio, THROUGHPUT, "records_per_second", OURS)
    p99 = partial(results.ratio, LATENCY, "p99_ms", OURS, settings=(1000, 1000))
    cpu = results.ratio(THROUGHPUT, "cpu_us", OURS, BARE)
    malformed = results.ratio(MALFORMED, "records_per_second", OURS, STOCK, ("100 %", "0 %"))
    peak, growth = (results.median(LONG, OURS, figure) for figure in ("peak_mb", "growth_mb"))
    return [
        Goal("throughput, exactly-once, over stock Quix exactly-once", rate(STOCK), "at least", 4.5),
        Goal("throughput, exactly-once, over the original script", rate(ORIGINAL), "at least", 10),
        Goal("throughput, exactly-once, over the bare confluent-kafka loop", rate(BARE), "at least", 0.85),
        Goal("throughput, exactly-once, over our at-least-once", rate(OURS_AT_LEAST_ONCE), "at least", 0.95),
        Goal("CPU for each record, exactly-once, over the bare confluent-kafka loop", cpu, "at most", 1.25),
        Goal("p99 latency, exactly-once, 1,000/s, over stock at-least-once", p99(STOCK_AT_LEAST_ONCE), "at most", 2),
        Goal("p99 latency, exactly-once, 1,000/s, over stock exactly-once", p99(STOCK), "at most", 1 / 50),
        Goal("all records malformed, over stock Quix on well-formed ones", malformed, "at least", 1),
        Goal("peak memory of the long run", peak, "at most", 200, "MB"),
        Goal("growth of its memory once settled (the tolerance is the allocator's)", growth, "at most", 5, "MB"),
    ]
