"""Which charts show the results, and what is in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.peers import BARE, OURS
from benchmarks.results import Experiment, Results


@dataclass(frozen=True)
class Chart:
    """Values by label.

    Attributes:
        title: above the chart.
        kind: one bar for each label; its values joined, on a logarithmic scale; or a line from zero up.
        series: the values of each label, one if the kind is bars.
        x_labels: of the values of lines.
    """

    title: str
    kind: Literal["bars", "ranges", "lines"]
    series: Mapping[str, Sequence[float]]
    x_labels: Sequence[str] = ()


def charts(results: Results) -> dict[str, Chart]:
    """The charts by file name, only those of what was measured."""
    found: dict[str, Chart] = {}
    for experiment in (Experiment.THROUGHPUT, Experiment.ENGINES):
        if results.peers(experiment):
            found[f"{experiment}.svg"] = _rates(results, experiment)
    for experiment in (Experiment.LATENCY, Experiment.ENGINES_LATENCY):
        for rate in results.settings(experiment):
            found[f"{experiment}-{rate}.svg"] = _percentiles(results, experiment, rate)
    if sizes := results.settings(Experiment.SIZES):
        series = {
            name: [results.median(Experiment.SIZES, name, "mb_per_second", size) or 0 for size in sizes]
            for name in (OURS, BARE)
        }
        found["sizes.svg"] = Chart("MB a second by the size of a record, in bytes", "lines", series, sizes)
    if results.long_rates:
        found["long-rate.svg"] = _by_second("Records in each second of the long run", results.long_rates[1:-1])
        found["long-memory.svg"] = _by_second("MB of memory in each second of the long run", results.long_memory)
    return found


def _rates(results: Results, experiment: str) -> Chart:
    rates = {peer: results.median(experiment, peer, "records_per_second") or 0 for peer in results.peers(experiment)}
    fastest_first = {peer: [rates[peer]] for peer in sorted(rates, key=lambda peer: -rates[peer])}
    return Chart("Records a second, one process", "bars", fastest_first)


def _percentiles(results: Results, experiment: str, rate: str) -> Chart:
    percentiles = {
        peer: [results.median(experiment, peer, name, rate) or 0 for name in ("p50_ms", "p99_ms", "p999_ms")]
        for peer in results.peers(experiment)
    }
    return Chart(f"Latency at {int(rate):,} records/s, in ms: p50, p99, p99.9", "ranges", percentiles)


def _by_second(title: str, values: Sequence[float]) -> Chart:
    return Chart(title, "lines", {OURS: values or [0]}, [str(second) for second in range(1, len(values) + 1)])
