"""The programme of faults: `make faults`, or `python -m faults --row 1 --n 300 --seed 7`.

Each row runs on an embedded Kafka of its own, so that several can run at once. What a row found is printed, kept as
JSON in faults/results, and put into the table docs/faults.md. Exit code 0 if every goal was met.
"""

import argparse
import random
import signal
import sys
from pathlib import Path

from faults.plan import Plan
from faults.report import Goal, Report, about
from faults.rows import ROWS
from faults.rows.soak import MINUTES
from faults.table import write_table
from tools.broker.embedded import train

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the rows asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--row", nargs="+", choices=[*ROWS, "all"], default=["all"], help="which (default: all)")
    parser.add_argument("--n", type=int, help="how many faults (default: the row's own)")
    parser.add_argument("--seed", type=int, help="of all that is drawn (default: a new one)")
    parser.add_argument("--rate", type=float, help="the load's records per second (default: the row's own)")
    parser.add_argument("--minutes", type=float, default=0.0, help="row 10's length (default: 120)")
    parser.add_argument("--pace", type=float, default=1.0, help="the pauses, over the usual ones (default: 1)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the workers")
    parser.add_argument("--no-verify", action="store_true", help="leave tools.verify out")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to write (default: faults/results)")
    parser.add_argument("--table", action="store_true", help="only write the table anew from the results")
    arguments = parser.parse_args()
    if arguments.table:
        write_table(arguments.results)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that all that was started is ended
    train()
    rows = list(ROWS) if "all" in arguments.row else arguments.row
    ran_on = about()  # before any result is written, and whatever is committed meanwhile
    reports = [run(row, arguments, ran_on) for row in rows]
    return 0 if all(report.ok for report in reports) else 1


def run(row: str, arguments: argparse.Namespace, ran_on: dict[str, str]) -> Report:
    """Run one row, print what it found, and write it down."""
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 16)
    count = arguments.n or ROWS[row].count
    rate = ROWS[row].rate if arguments.rate is None else arguments.rate
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    print(f"row {row}: {ROWS[row].title}; {count} faults, seed {seed}", flush=True)
    plan = Plan(
        count,
        seed,
        rate,
        every=ROWS[row].every,
        pace=arguments.pace,
        audit=not arguments.no_verify,
        settings=settings,
        minutes=arguments.minutes,
        jvm=ROWS[row].jvm,
    )
    try:
        report = ROWS[row].run(plan)
    except Exception as error:  # noqa: BLE001  (a row that could not go on has failed, and the next ones are to be run)
        report = Report(row, "", "", seed, goals=[Goal(f"went on to its end: {type(error).__name__}: {error}", 1, 0)])
    report.command = f"make faults ROW={row} N={count} SEED={seed}{_more(arguments)}"
    report.title = ROWS[row].title
    report.notes += [] if plan.audit else ["tools.verify was left out"]
    report.about = ran_on
    print("\n".join(report.lines()), flush=True)
    is_full = count >= ROWS[row].count and arguments.pace >= 1 and plan.audit and not 0 < plan.minutes < MINUTES
    if is_full or arguments.results != RESULTS:
        report.write(arguments.results)
        write_table(arguments.results)
    else:
        print(f"not kept: {RESULTS} is for rows that were run in full", flush=True)
    return report


def _more(arguments: argparse.Namespace) -> str:
    """The options that change what a row does, as `make faults` takes them."""
    given = [f"--rate {arguments.rate:g}"] if arguments.rate is not None else []
    given += [f"--pace {arguments.pace:g}"] if arguments.pace != 1 else []
    given += [f"--minutes {arguments.minutes:g}"] if arguments.minutes else []
    given += [f"--set {' '.join(arguments.set)}"] if arguments.set else []
    given += ["--no-verify"] if arguments.no_verify else []
    return f' FAULTS="{" ".join(given)}"' if given else ""


if __name__ == "__main__":
    sys.exit(main())
