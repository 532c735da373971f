"""Is the output right? Compares the output topic with the input topic, record by record: `python pipeline.py verify`.

The map is pure and order is kept, so each output partition must be the map of its input partition. Settings are those
of pipeline.py. Exit codes are those of runtime/errors.py, and 1 where anything is lost, duplicated, reordered or wrong;
with --complete, also where anything is pending.
"""

import argparse
import gc
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from runtime.command import run_command
from runtime.settings import ENV_FILE, Settings
from runtime.stop.signals import stop_request
from tools.verify.report import Report
from tools.verify.topics import Topics
from tools.verify.walk import EVERYTHING, Begin, Walk

NOT_RIGHT = 1
"""The exit code where the output is not what it should be."""

REPORT_EVERY = 1.0
"""Seconds between two lines of `--follow --json`."""

LOG_EVERY = 10.0
"""Seconds between two lines of `--follow` in the log."""

LONG = 100_000
"""Records from which on a progress bar is shown."""

_AWAY, _AWAY_AT_THE_END = 120.0, 30.0  # seconds that a broker may be away
_PAUSE = 0.1  # seconds
_SELDOM = 1_000_000  # objects: records in hand are no garbage to look for, which took a third of the time


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    begin: Begin = EVERYTHING
    follow: bool = False
    as_json: bool = False
    complete: bool = False


def audit(settings: Settings, options: Options) -> Report:
    """Hold the output topic against the input topic; with `follow`, until a signal asks to stop.

    Raises:
        PipelineError: no broker, a topic is missing or unfit, or a signal came where there is nothing to follow.
    """
    topics = Topics(settings, _AWAY if options.follow else _AWAY_AT_THE_END)
    with closing(Walk(topics, settings, options.begin, follow=options.follow)) as walk:
        report = Report(topics.source.name, topics.target.name, options.complete)
        if options.follow:
            _follow(walk, report, as_json=options.as_json)
            topics.patience = _AWAY_AT_THE_END
        with _progress(walk.size()) as progress:
            task = progress.add_task("comparing", total=walk.size())
            walk.step(lambda count: progress.advance(task, count), final=True)
        return report.of(walk.findings(), final=True)


def _follow(walk: Walk, report: Report, *, as_json: bool) -> None:
    """Go on until asked to stop; say now and then how it stands."""
    due = 0.0
    while not stop_request.requested:
        has_news = walk.step(lambda _: None, final=False)
        if time.monotonic() >= due:
            due = time.monotonic() + (REPORT_EVERY if as_json else LOG_EVERY)
            if as_json:
                print(report.of(walk.findings()).as_json(), flush=True)
            else:
                logger.info("so far: {}", report.of(walk.findings()).summary())
        if not has_news:
            time.sleep(_PAUSE)


def _progress(size: int) -> Progress:
    """A bar on standard error, if that is a terminal and there is much to do."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=size < LONG or not console.is_terminal)


def _options(arguments: Sequence[str]) -> Options:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("pipeline.py verify", description=__doc__, formatter_class=formatter)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--from-timestamp",
        type=whole_number,
        metavar="T",
        help="begin with the first input record whose timestamp, in ms since the epoch, is T or later",
    )
    where.add_argument(
        "--last", type=whole_number, metavar="N", help="begin N offsets before the end of each input partition"
    )
    parser.add_argument("--follow", action="store_true", help="go on while the pipeline runs, until Ctrl-C or SIGTERM")
    parser.add_argument(
        "--json", action="store_true", help="print JSON: one line at the end, with --follow one a second"
    )
    parser.add_argument(
        "--complete", action="store_true", help="what is still pending in the end is not right, either: exit code 1"
    )
    given = parser.parse_args(arguments)
    return Options(Begin(given.from_timestamp, given.last), given.follow, given.json, given.complete)


def whole_number(text: str) -> int:
    """Read a number from the command line; ValueError where it is negative or none."""
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def main(arguments: Sequence[str]) -> int:
    """Run as the command line and the settings say; give the exit code."""
    options = _options(arguments)
    gc.freeze()
    gc.set_threshold(_SELDOM)
    reports: list[Report] = []
    exit_code = run_command(lambda: Settings.load(ENV_FILE), lambda settings: reports.append(audit(settings, options)))
    for report in reports:
        print(report.as_json() if options.as_json else report, flush=True)
    return exit_code or (0 if reports and reports[0].ok else NOT_RIGHT)
