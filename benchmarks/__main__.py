"""The command line: `python -m benchmarks` runs all experiments, `--quick` those that take under two minutes."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.charts import charts
from benchmarks.draw import draw
from benchmarks.experiments import FULL, QUICK, Experiments
from benchmarks.goals import goals
from benchmarks.report import goals_table, markdown
from benchmarks.results import IDLE, LATENCY, LONG, MALFORMED, SIZES, START, THROUGHPUT, WORKERS, Results
from benchmarks.topics import BenchmarkTopics
from tools.about import about
from tools.broker.embedded import FULL_SPEED, Broker

FOLDER = Path(__file__).parent / "results"
EXPERIMENTS = (THROUGHPUT, LATENCY, MALFORMED, SIZES, WORKERS, LONG, START, IDLE)
QUICK_EXPERIMENTS = (THROUGHPUT, LATENCY, MALFORMED)
_PROPERTIES = {"log.segment.delete.delay.ms": "1000"}  # a deleted topic's space is needed for the next


def main() -> None:
    """Run the chosen experiments on a broker of our own, and write the report and the charts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of the main experiments")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, help="these experiments alone")
    parser.add_argument("--records", type=int, default=FULL.long_records, help="of the long run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="interleaved runs of each peer")
    parser.add_argument("--folder", type=Path, help="where to write (default: benchmarks/results, none for --quick)")
    arguments = parser.parse_args()
    plan = replace(QUICK if arguments.quick else FULL, long_records=arguments.records)
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds, throughput_rounds=arguments.rounds)
    results, begin = Results(about("orjson", "msgspec")), time.monotonic()
    with Broker(jvm=FULL_SPEED, properties=_PROPERTIES) as broker:
        experiments = Experiments(BenchmarkTopics(broker.address), plan, results)
        experiments.warm()
        for name in arguments.only or (QUICK_EXPERIMENTS if arguments.quick else EXPERIMENTS):
            getattr(experiments, name)()
    print(f"\n{goals_table(goals(results))}\n\nThat took {time.monotonic() - begin:.0f} s.")
    if folder := arguments.folder or (None if arguments.quick else FOLDER):
        write(results, folder)


def write(results: Results, folder: Path) -> None:
    """Write results.json, results.md and the charts."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "results.json")
    (folder / "results.md").write_text(markdown(results))
    for name, chart in charts(results).items():
        (folder / name).write_text(draw(chart))


if __name__ == "__main__":
    main()
