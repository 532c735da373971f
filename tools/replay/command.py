"""Sends dead letters' originals back to the input topic, each once: `python pipeline.py replay`.

By default it sends all that were not sent back yet. What one run leaves is there for the next. A record that is sent
back has the header replay.attempt; one that came back too often stays. With --edit, only the dead letters that the file
lists are sent, with its values. It may be killed: each transaction also commits the progress, for each reason in the
consumer group <group>-replay-<reason>. The settings are those of pipeline.py.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from runtime.command import run_command
from runtime.errors import Failed
from runtime.observe.output import say
from runtime.settings import ENV_FILE, Settings
from tools.replay.edits import read_edits
from tools.replay.replay import BATCH, Replay, ReplayOptions
from tools.replay.report import Outcome
from tools.replay.sender import ReplaySender
from tools.replay.topics import DeadLetterTopics
from tools.verify.command import whole_number
from transforms import Reason

MAX_ATTEMPTS = 3
"""How often a record is sent back, unless --max-attempts is given."""


def main(arguments: Sequence[str]) -> int:
    """Send dead letters back, and return an exit code of runtime/errors.py."""
    return run_command(Settings, ENV_FILE, partial(_run, _options(arguments)), announce=False)


def _run(given: argparse.Namespace, settings: Settings) -> None:
    topics = DeadLetterTopics(settings)
    options = ReplayOptions(
        reasons=frozenset(given.reason or map(str, Reason)),
        limit=given.limit,
        max_attempts=given.max_attempts,
        batch=min(BATCH, given.rate or BATCH),
        edits=read_edits(given.edit, topics.dead_letter.name) if given.edit else None,
    )
    replay = Replay(topics, options, None if given.dry_run else ReplaySender(topics, given.rate))
    console = Console(stderr=True)
    columns = Progress.get_default_columns()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replaying", total=replay.size())
        try:
            replay.run(lambda: progress.advance(task))
        finally:
            progress.stop()
            say(replay.report.as_json() if given.json else f"{replay.report}")
    if count := replay.report.total(Outcome.TOO_LARGE):
        raise Failed(
            f"{count} of the records would be too large for {topics.source.name} (`input`), and stay: raise its "
            "max.message.bytes, or send shorter values with --edit"
        )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("pipeline.py replay", description=__doc__, formatter_class=formatter)
    parser.add_argument(
        "--reason", action="append", choices=list(map(str, Reason)), metavar="R", help="only this reason; repeatable"
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="stop after N records")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and change nothing")
    parser.add_argument("--rate", type=_positive, metavar="N", help="send at most N records a second")
    parser.add_argument(
        "--max-attempts",
        type=whole_number,
        default=MAX_ATTEMPTS,
        metavar="N",
        help=f"leave records that were sent back N times ({MAX_ATTEMPTS})",
    )
    parser.add_argument(
        "--edit",
        type=Path,
        metavar="FILE",
        help="send only the dead letters that FILE lists, corrected: JSON lines of partition, offset and value",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    """Parse a number of the command line that is not 0.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if number := whole_number(text):
        return number
    raise argparse.ArgumentTypeError("must be a whole number from 1 to 9223372036854775807")
