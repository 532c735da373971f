"""Runs rows of faults: `make faults`, or `python -m faults --row 1 --n 300 --seed 7`.

Each row starts an embedded Kafka, so several rows can run at once. The report of a row is printed, stored as JSON in
faults/results, and added to the table in docs/faults.md. The exit code is 0 if all goals were met.
"""

import argparse
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path

from faults.report import RESULTS, Limit, RowReport, write_table
from faults.rows import ROWS
from faults.rows.soak import MINUTES
from tools.about import about
from tools.broker.embedded import train


def main() -> int:
    """Run the chosen rows, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--row", nargs="+", choices=[*ROWS, "all"], default=["all"], help="which rows (default: all)")
    parser.add_argument("--n", type=int, help="how many faults (default: the row's own)")
    parser.add_argument("--seed", type=int, help="of the random numbers (default: a new one)")
    parser.add_argument("--rate", type=float, help="the load's records per second (default: the row's own)")
    parser.add_argument("--minutes", type=float, default=0.0, help="row 10's length (default: 120)")
    parser.add_argument("--pace", type=float, default=1.0, help="a factor for the pauses between faults (default: 1)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the workers")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: faults/results)")
    parser.add_argument("--table", action="store_true", help="only write the table from the results")
    arguments = parser.parse_args()
    if arguments.table:
        write_table(arguments.results)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that every process is ended
    train()
    rows = list(ROWS) if "all" in arguments.row else arguments.row
    ran_on = about()  # at the start: results and commits may follow
    reports = [run(row, arguments, ran_on) for row in rows]
    return 0 if all(report.ok for report in reports) else 1


def run(row: str, arguments: argparse.Namespace, ran_on: dict[str, str]) -> RowReport:
    """Run one row, then print and store its report."""
    title, run_row, full = ROWS[row]
    plan = replace(
        full,
        count=arguments.n or full.count,
        seed=arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 16),
        rate=full.rate if arguments.rate is None else arguments.rate,
        pace=arguments.pace,
        settings=dict(pair.split("=", 1) for pair in arguments.set),
        minutes=arguments.minutes,
    )
    print(f"row {row}: {title}; {plan.count} faults, seed {plan.seed}", flush=True)
    try:
        report = run_row(plan)
    except Exception as error:  # noqa: BLE001  (the row has failed; the next rows run)
        report = RowReport(
            seed=plan.seed, goals=[Limit(f"did not run to its end: {type(error).__name__}: {error}", 1, 0)]
        )
    report.row, report.title, report.about = row, title, ran_on
    report.command = f"make faults ROW={row} N={plan.count} SEED={plan.seed}{_more(arguments)}"
    print("\n".join(report.lines()), flush=True)
    is_full = plan.count >= full.count and arguments.pace >= 1 and not 0 < plan.minutes < MINUTES
    if is_full or arguments.results != RESULTS:
        report.write(arguments.results)
        write_table(arguments.results)
    else:
        print(f"not stored: {RESULTS} is for full runs", flush=True)
    return report


def _more(arguments: argparse.Namespace) -> str:
    """The other options, as `make faults` takes them."""
    given = [f"--rate {arguments.rate:g}"] if arguments.rate is not None else []
    given += [f"--pace {arguments.pace:g}"] if arguments.pace != 1 else []
    given += [f"--minutes {arguments.minutes:g}"] if arguments.minutes else []
    given += [f"--set {' '.join(arguments.set)}"] if arguments.set else []
    return f' FAULTS="{" ".join(given)}"' if given else ""


if __name__ == "__main__":
    sys.exit(main())
