"""Compares the output topic with the input topic, record by record: `python pipeline.py verify`.

The transforms are pure and order is kept, so each output partition must equal its transformed input partition. If
`dead_letter` is set, each malformed record must have its dead letter, too. The settings are those of pipeline.py. Exit
codes are those of runtime/errors.py, and 1 if anything is lost, duplicated, reordered or wrong; with --complete, also
if anything is pending. If nothing was compared, it is 0 only if both topics are empty.
"""

import argparse
import gc
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from runtime.command import run_command
from runtime.errors import Failed
from runtime.observe.output import say
from runtime.settings import ENV_FILE, Settings
from runtime.stop.signals import stop_request
from tools.verify.manifest import Manifest, ManifestWalk
from tools.verify.range import EVERYTHING, Begin
from tools.verify.report import Report
from tools.verify.topics import TopicPair
from tools.verify.walk import Walk

NOT_RIGHT = 1
"""The exit code if the output is wrong."""

REPORT_EVERY = 1.0
"""Seconds between two lines of `--follow --json`."""

LOG_EVERY = 10.0
"""Seconds between two lines of `--follow` in the log."""

LONG = 100_000
"""The least number of records with a progress bar."""

NOTHING_COMPARED = (
    "nothing was compared: the topics have records, but none in the range (--last, --from-timestamp) can be compared"
)

_LARGEST = 2**63 - 1
_AWAY, _AWAY_AT_THE_END = 120.0, 30.0  # seconds that a broker may not answer
_PAUSE = 0.1  # seconds
_SELDOM = 1_000_000  # objects: with the default, garbage collection took a third of the time


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    begin: Begin = EVERYTHING
    follow: bool = False
    as_json: bool = False
    complete: bool = False
    manifest: Path | None = None


def audit(settings: Settings, options: Options) -> Report:
    """Compare the output topic with the input topic or a manifest. With `follow`, go on until a signal asks to stop.

    Raises:
        PipelineError: no broker, a topic is missing or misconfigured, a manifest cannot be read, or a signal came
            without `follow`.
    """
    manifest = Manifest(options.manifest) if options.manifest else None
    topics = TopicPair(settings, _AWAY if options.follow else _AWAY_AT_THE_END)
    must_stop = _is_requested if options.follow else _refuse_stop
    by_manifest = manifest and ManifestWalk(topics, manifest, must_stop)
    with closing(by_manifest or Walk(topics, settings, options.begin, must_stop)) as walk:
        letters = topics.dead_letter.name if topics.dead_letter and not manifest else None
        report = Report(topics.source.name, topics.target.name, options.complete, letters)
        if options.follow:
            _follow(walk, report, as_json=options.as_json)
            topics.patience = _AWAY_AT_THE_END
        with _progress(walk.size()) as progress:
            task = progress.add_task("comparing", total=walk.size())
            walk.step(lambda count: progress.advance(task, count), final=True)
        return report.of(*walk.all_findings(), final=True, empty=walk.is_empty)


def _is_requested() -> bool:
    return stop_request.requested


def _refuse_stop() -> bool:
    if stop_request.requested:
        raise Failed("interrupted before the end: there is no verdict")
    return False


def _follow(walk: Walk | ManifestWalk, report: Report, *, as_json: bool) -> None:
    """Compare until asked to stop, and report from time to time."""
    due = 0.0
    while not stop_request.requested:
        has_news = walk.step(lambda _: None, final=False)
        if time.monotonic() >= due:
            due = time.monotonic() + (REPORT_EVERY if as_json else LOG_EVERY)
            if as_json:
                say(report.of(*walk.all_findings()).as_json())
            else:
                logger.info("so far: {}", report.of(*walk.all_findings()).summary())
        if not has_news:
            time.sleep(_PAUSE)


def _progress(size: int) -> Progress:
    """A bar on standard error, if that is a terminal and there are many records."""
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
        help="begin at the first input record with timestamp T (ms since the epoch) or later",
    )
    where.add_argument(
        "--last", type=whole_number, metavar="N", help="begin N offsets before the end of each input partition"
    )
    where.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="compare the output with what `python -m tools.generator --manifest FILE` says, without the transforms",
    )
    parser.add_argument("--follow", action="store_true", help="go on while the pipeline runs, until Ctrl-C or SIGTERM")
    parser.add_argument(
        "--json", action="store_true", help="print JSON: one line at the end, with --follow one a second"
    )
    parser.add_argument("--complete", action="store_true", help="pending records are an error: exit code 1")
    given = parser.parse_args(arguments)
    if given.manifest and given.follow:
        parser.error("argument --follow: not allowed with argument --manifest")
    begin = Begin(given.from_timestamp, given.last)
    return Options(begin, given.follow, given.json, given.complete, given.manifest)


def whole_number(text: str) -> int:
    """Parse a number of the command line.

    Raises:
        argparse.ArgumentTypeError: it is no number, or not one that Kafka's offsets and timestamps can be.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(f"{_LARGEST}") else _LARGEST + 1
    if number > _LARGEST:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_LARGEST}")
    return number


def main(arguments: Sequence[str]) -> int:
    """Run with the command line's options and the settings, and return the exit code."""
    options = _options(arguments)
    gc.freeze()
    gc.set_threshold(_SELDOM)
    reports: list[Report] = []

    def run(settings: Settings) -> None:
        report = audit(settings, options)
        say(report.as_json() if options.as_json else f"{report}")
        if report.is_void:
            raise Failed(NOTHING_COMPARED)
        reports.append(report)

    exit_code = run_command(Settings, ENV_FILE, run)
    if not reports:
        return exit_code or Failed.exit_code
    return 0 if reports[0].ok else NOT_RIGHT
