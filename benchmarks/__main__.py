"""The command line: `python -m benchmarks` runs all experiments, `--quick` those that take under two minutes.

`--engines` compares with other engines; its results are in a folder of their own.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.charts import charts
from benchmarks.draw import draw
from benchmarks.engines import build, versions
from benchmarks.experiments import ENGINES_PLAN, FULL, QUICK, Experiments
from benchmarks.goals import goals
from benchmarks.report import goals_table, markdown
from benchmarks.results import Experiment, Results
from benchmarks.topics import BenchmarkTopics
from tools.about import about
from tools.broker.embedded import FULL_SPEED, Broker

FOLDER = Path(__file__).parent / "results"
EXPERIMENTS = [name for name in Experiment if name not in {Experiment.ENGINES, Experiment.ENGINES_LATENCY}]
QUICK_EXPERIMENTS = [Experiment.THROUGHPUT, Experiment.LATENCY, Experiment.MALFORMED]
_PROPERTIES = {"log.segment.delete.delay.ms": "1000"}  # a deleted topic's space is needed for the next


def main() -> None:
    """Run the chosen experiments on a broker of our own, and write the report and the charts."""
    arguments = _arguments()
    quick, with_engines = arguments.quick, arguments.engines
    plan = replace(QUICK if quick else ENGINES_PLAN if with_engines else FULL, long_records=arguments.records)
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds, throughput_rounds=arguments.rounds)
    engines = build() if with_engines else []
    results, begin = Results(about("orjson", "msgspec") | (versions() if with_engines else {})), time.monotonic()
    with Broker(jvm=FULL_SPEED, properties=_PROPERTIES) as broker:
        experiments = Experiments(BenchmarkTopics(broker.address), plan, results, engines)
        experiments.warm()
        usual = [Experiment.ENGINES] if with_engines else QUICK_EXPERIMENTS if quick else EXPERIMENTS
        for name in arguments.only or usual:
            getattr(experiments, name)()
    print(f"\n{goals_table(goals(results))}\n\nThat took {time.monotonic() - begin:.0f} s.")
    if folder := arguments.folder or (None if quick else FOLDER / Experiment.ENGINES if with_engines else FOLDER):
        write(results, folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of the main experiments")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--engines", action="store_true", help="build other engines, and compare with them instead")
    which.add_argument("--only", nargs="+", choices=EXPERIMENTS, help="these experiments alone")
    parser.add_argument("--records", type=int, default=FULL.long_records, help="of the long run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="interleaved runs of each peer")
    folders = f"{FOLDER.parent.name}/{FOLDER.name}, with --engines its folder {Experiment.ENGINES}; none for --quick"
    parser.add_argument("--folder", type=Path, help=f"where to write (default: {folders})")
    return parser.parse_args()


def write(results: Results, folder: Path) -> None:
    """Write results.json, results.md and the charts."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder / "results.json")
    (folder / "results.md").write_text(markdown(results))
    for name, chart in charts(results).items():
        (folder / name).write_text(draw(chart))


if __name__ == "__main__":
    main()
