"""Which charts are drawn of the results."""

from benchmarks.peers import BARE, OURS
from benchmarks.report import PERCENTILES
from benchmarks.results import LATENCY, SIZES, THROUGHPUT, Results
from benchmarks.svg import bars, lines, ranges

_OURS = "ours"


def charts(results: Results) -> dict[str, str]:
    """SVG texts by file name; only of what was measured."""
    found: dict[str, str] = {}
    if peers := results.peers(THROUGHPUT):
        rows = [(peer, results.median(THROUGHPUT, peer, "records_per_second") or 0) for peer in peers]
        rows.sort(key=lambda row: -row[1])
        found["throughput.svg"] = bars("Records a second, one process", rows, _OURS)
    for rate in results.settings(LATENCY):
        spreads = [
            (peer, [results.median(LATENCY, peer, name, rate) or 0 for name in PERCENTILES])
            for peer in results.peers(LATENCY)
        ]
        title = f"Latency at {int(rate):,} records/s, in ms: p50, p99, p99.9"
        found[f"latency-{rate}.svg"] = ranges(title, spreads, _OURS)
    if sizes := results.settings(SIZES):
        series = {
            name: [results.median(SIZES, name, "mb_per_second", size) or 0 for size in sizes] for name in (OURS, BARE)
        }
        found["sizes.svg"] = lines("MB a second by the size of a record, in bytes", sizes, series)
    if results.long_rates:
        found["long-rate.svg"] = _by_second("Records in each second of the long run", results.long_rates[1:-1])
        found["long-memory.svg"] = _by_second("MB of memory in each second of the long run", results.long_memory)
    return found


def _by_second(title: str, values: list[int] | list[float]) -> str:
    return lines(title, [str(second) for second in range(1, len(values) + 1)], {OURS: values or [0]})
