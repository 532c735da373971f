"""The performance goals, and whether a run of the benchmark met them."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from benchmarks.engines import BENTO, FLINK, FRANZ_GO, KAFKA_STREAMS
from benchmarks.peers import BARE, ORIGINAL, OURS, OURS_AT_LEAST_ONCE, STOCK, STOCK_AT_LEAST_ONCE
from benchmarks.results import Experiment, Results


@dataclass(frozen=True)
class Goal:
    """One figure and its bound. The figure is None if it was not measured."""

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
    """The goals of what was run, with their figures. Ratios are between runs of the same round."""
    if results.peers(Experiment.ENGINES):
        return _compared_with_engines(results)
    return [*_rates(results), *_costs(results), *_latencies(results), *_starts(results), *_memory(results)]


def _compared_with_engines(results: Results) -> list[Goal]:
    rate = partial(results.ratio, Experiment.ENGINES, "records_per_second", OURS)
    p99 = results.ratio(Experiment.ENGINES_LATENCY, "p99_ms", OURS, KAFKA_STREAMS, (1000, 1000))
    return [
        Goal("throughput, exactly-once, over Kafka Streams exactly_once_v2", rate(KAFKA_STREAMS), "at least", 1.4),
        Goal("throughput, exactly-once, over Flink at-least-once", rate(FLINK), "at least", 1),
        Goal("throughput, exactly-once, over the franz-go loop", rate(FRANZ_GO), "at least", 1),
        Goal("throughput, exactly-once, over Bento", rate(BENTO), "at least", 4),
        Goal("p99 latency, exactly-once, 1,000/s, over Kafka Streams exactly_once_v2", p99, "at most", 0.5),
    ]


def _rates(results: Results) -> list[Goal]:
    rate = partial(results.ratio, Experiment.THROUGHPUT, "records_per_second", OURS)
    large = {
        size: results.ratio(Experiment.SIZES, "records_per_second", OURS, BARE, (size, size))
        for size in (1000, 8000, 64000)
    }
    malformed = results.ratio(Experiment.MALFORMED, "records_per_second", OURS, STOCK, ("100 %", "0 %"))
    return [
        Goal("throughput, exactly-once, over stock Quix exactly-once", rate(STOCK), "at least", 5.0),
        Goal("throughput, exactly-once, over the original script", rate(ORIGINAL), "at least", 10),
        Goal("throughput, exactly-once, over the bare confluent-kafka loop", rate(BARE), "at least", 0.9),
        *(
            Goal(f"throughput with {size:,} bytes, over the bare confluent-kafka loop", ratio, "at least", 0.9)
            for size, ratio in large.items()
        ),
        Goal("throughput, exactly-once, over our at-least-once", rate(OURS_AT_LEAST_ONCE), "at least", 0.95),
        Goal("all records malformed, over stock Quix on well-formed ones", malformed, "at least", 1),
    ]


def _costs(results: Results) -> list[Goal]:
    cpu = partial(results.ratio, figure="cpu_us", one=OURS)
    small, large = cpu(Experiment.THROUGHPUT, other=BARE), cpu(Experiment.SIZES, other=BARE, settings=(8000, 8000))
    shared = cpu(Experiment.WORKERS, other=OURS, settings=("4/4", "1/1"))
    return [
        Goal("CPU for each record, exactly-once, over the bare confluent-kafka loop", small, "at most", 1.1),
        Goal("CPU for each record of 8,000 bytes, over the bare confluent-kafka loop", large, "at most", 1.1),
        Goal("CPU for each record, 4 workers on 4 partitions, over one on one", shared, "at most", 1.15),
    ]


def _latencies(results: Results) -> list[Goal]:
    p99 = partial(results.ratio, Experiment.LATENCY, "p99_ms", OURS, settings=(1000, 1000))
    return [
        Goal("p99 latency, exactly-once, 1,000/s, over stock at-least-once", p99(STOCK_AT_LEAST_ONCE), "at most", 2),
        Goal("p99 latency, exactly-once, 1,000/s, over stock exactly-once", p99(STOCK), "at most", 1 / 50),
    ]


def _starts(results: Results) -> list[Goal]:
    start = partial(results.ratio, Experiment.START, one=OURS, other=STOCK)
    idle = [results.median(Experiment.IDLE, OURS, "cpu_percent", rate) for rate in (0, 10)]
    return [
        Goal("start of the process to the first record, over stock Quix", start("first_record_s"), "at most", 1.3),
        Goal("CPU of the imports, over `import quixstreams` alone", start("import_cpu_s"), "at most", 1.1),
        Goal("CPU with nothing to do", idle[0], "at most", 1, "%"),
        Goal("CPU with 10 records/s", idle[1], "at most", 3, "%"),
    ]


def _memory(results: Results) -> list[Goal]:
    peak, growth = (results.median(Experiment.LONG, OURS, figure) for figure in ("peak_mb", "growth_mb"))
    return [
        Goal("peak memory of the long run", peak, "at most", 200, "MB"),
        Goal("growth of its memory once settled (the tolerance is the allocator's)", growth, "at most", 5, "MB"),
    ]
