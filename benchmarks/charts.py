"""Which charts show the results, and what is in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers import BARE, OURS
from benchmarks.results import LATENCY, SIZES, THROUGHPUT, Results

PERCENTILES = ("p50_ms", "p99_ms", "p999_ms")


@dataclass(frozen=True)
class Bars:
    """One bar for each label."""

    title: str
    rows: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Ranges:
    """For each label a dot at each of its values, joined, on a logarithmic scale."""

    title: str
    rows: Sequence[tuple[str, Sequence[float]]]


@dataclass(frozen=True)
class Lines:
    """Lines by name, from zero up, over the same x labels."""

    title: str
    x_labels: Sequence[str]
    series: Mapping[str, Sequence[float]]


Chart = Bars | Ranges | Lines


def charts(results: Results) -> dict[str, Chart]:
    """Charts by file name; only of what was measured."""
    found: dict[str, Chart] = {}
    if peers := results.peers(THROUGHPUT):
        rows = [(peer, results.median(THROUGHPUT, peer, "records_per_second") or 0) for peer in peers]
        found["throughput.svg"] = Bars("Records a second, one process", sorted(rows, key=lambda row: -row[1]))
    for rate in results.settings(LATENCY):
        spreads = [
            (peer, [results.median(LATENCY, peer, name, rate) or 0 for name in PERCENTILES])
            for peer in results.peers(LATENCY)
        ]
        title = f"Latency at {int(rate):,} records/s, in ms: p50, p99, p99.9"
        found[f"latency-{rate}.svg"] = Ranges(title, spreads)
    if sizes := results.settings(SIZES):
        series = {
            name: [results.median(SIZES, name, "mb_per_second", size) or 0 for size in sizes] for name in (OURS, BARE)
        }
        found["sizes.svg"] = Lines("MB a second by the size of a record, in bytes", sizes, series)
    if results.long_rates:
        found["long-rate.svg"] = _by_second("Records in each second of the long run", results.long_rates[1:-1])
        found["long-memory.svg"] = _by_second("MB of memory in each second of the long run", results.long_memory)
    return found


def _by_second(title: str, values: Sequence[float]) -> Lines:
    return Lines(title, [str(second) for second in range(1, len(values) + 1)], {OURS: values or [0]})
