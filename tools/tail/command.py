"""Shows a topic's last records, as people read them: `python pipeline.py tail`.

Each line has the time, the place (topic[partition]@offset), the key, the headers and the value; on a terminal, what the
pipeline has changed in the value is in colour. A dead letter has why the record is malformed, and where it is in the
input, in the place of the headers that say so. Control characters are shown as escapes; --json gives the exact text.
It reads committed records, joins no consumer group and changes nothing. The settings are those of pipeline.py.
"""

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from loguru import logger

from pipeline import TRANSFORMS
from runtime.command import run_command
from runtime.errors import Misconfigured
from runtime.explain import exception_chain
from runtime.observe.output import UnwritableError, say
from runtime.settings import ENV_FILE, Settings
from runtime.stop.signals import stop_request
from tools.printable import printable
from tools.tail.lines import Lines, as_json
from tools.tail.order import READER, TopicTail
from tools.tail.originals import Originals
from tools.tail.records import TopicRecord
from tools.verify.command import whole_number
from tools.verify.topics import Topics
from transforms import Malformed, Reason, chain

TOPICS = ("input", "output", "dead_letter")
"""The settings whose topics can be shown."""

COUNT = 20
"""The number of records, unless -n or --from is given."""

_PATIENCE = 30.0  # seconds that a broker may not answer
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def main(arguments: Sequence[str]) -> int:
    """Show records, and return an exit code of runtime/errors.py."""
    return run_command(Settings, ENV_FILE, partial(_run, _options(arguments)), announce=False)


def _run(given: argparse.Namespace, settings: Settings) -> None:
    """Show records, until a signal asks to stop or the reader of standard output ends."""
    stop_request.on_request = partial(signal.default_int_handler, signal.SIGINT, None)
    try:
        if not stop_request.requested:
            _show(given, settings)
    except (KeyboardInterrupt, Exception) as error:
        if not _is_end(error):
            raise


def _is_end(error: BaseException) -> bool:
    """Whether a signal asked to stop, or the reader of standard output ended.

    A signal during a call of the client may come as a SystemError that the KeyboardInterrupt caused.
    """
    if isinstance(error, UnwritableError):
        return isinstance(error.__cause__, BrokenPipeError)
    return any(isinstance(link, KeyboardInterrupt) for link in exception_chain(error))


def _show(given: argparse.Namespace, settings: Settings) -> None:
    name = getattr(settings, given.topic)
    if name is None:
        raise Misconfigured("dead_letter is not set: it names the topic with the originals of malformed records")
    topics = Topics(settings, _PATIENCE, "read the records after it with --from", **READER)
    facts, *_ = topics.facts(name, *([settings.input] if given.diff else []))
    originals = Originals(topics, settings.input, is_required=given.diff)
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    is_letter = given.topic == "dead_letter"
    lines = Lines(is_coloured=is_coloured, has_before=given.diff, of_dead_letters=is_letter)
    needs_before = given.diff or (is_coloured and given.topic == "output" and not given.json)
    json_of = partial(as_json, has_before=given.diff, of_dead_letters=is_letter)
    for record in _records(given, TopicTail(topics, facts, _filter(given)), facts.name):
        before = originals.find(record) if needs_before else None
        say((json_of if given.json else lines.text)(record, before))


def _records(given: argparse.Namespace, tail: TopicTail, name: str) -> Iterator[TopicRecord]:
    """The records that the options ask for."""
    if given.since is None:
        records = tail.last(COUNT if given.n is None else given.n)
    else:
        records = tail.since(given.since, given.n)
    is_empty = given.n != 0 and not tail.has_given_up
    for record in records:
        is_empty = False
        yield record
    if is_empty:
        is_selective = any((given.malformed, given.reason, given.key is not None, given.since))
        logger.warning("no record of {} matches" if is_selective else "{} has no committed record", name)
    if given.follow:
        yield from tail.new()


def _filter(given: argparse.Namespace) -> Callable[[TopicRecord], bool]:
    """Whether the options ask for a record. In the input, malformed is what the transforms tag."""
    transform = chain(*TRANSFORMS)
    key = None if given.key is None else os.fsencode(given.key)
    is_escaped = "\\" in (given.key or "")
    wanted: str | None = given.reason

    def reason(record: TopicRecord) -> str | None:
        if given.topic == "output":
            return record.tag
        if given.topic == "dead_letter":
            return record.dead_letter and record.dead_letter.reason
        result = transform(record.value)
        return result.reason if isinstance(result, Malformed) else None

    def is_wanted(record: TopicRecord) -> bool:
        if key not in (None, record.key) and not (is_escaped and printable(record.key or b"") == given.key):
            return False
        if wanted is not None:
            return reason(record) == wanted
        return not given.malformed or reason(record) is not None

    return is_wanted


def _moment(text: str) -> int:
    """Parse a time, or a duration before now, as a timestamp in milliseconds.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if duration := re.fullmatch(r"([0-9]{1,9})([smhd])", text):
        return max(0, int((time.time() - int(duration[1]) * _SECONDS[duration[2]]) * 1000))
    try:
        return max(0, round(datetime.fromisoformat(text).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(
            "must be a time such as 2026-11-28T20:55 (local, or with an offset such as +00:00), or a duration before "
            "now such as 30s, 10m, 2h or 1d"
        ) from None


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("pipeline.py tail", description=__doc__, formatter_class=formatter)
    parser.add_argument("topic", nargs="?", choices=TOPICS, default="output", help="the topic; by default the output")
    parser.add_argument(
        "-n", type=whole_number, metavar="N", help=f"show the last N records ({COUNT}; with --from, all)"
    )
    parser.add_argument("--follow", action="store_true", help="then show new records, until Ctrl-C or SIGTERM")
    parser.add_argument("--malformed", action="store_true", help="show malformed records only")
    parser.add_argument("--reason", choices=list(map(str, Reason)), metavar="R", help="show those of one reason only")
    parser.add_argument("--key", metavar="K", help="show those with this key only")
    parser.add_argument(
        "--from", type=_moment, metavar="T", dest="since", help="begin at this time, or at 10m before now"
    )
    parser.add_argument("--diff", action="store_true", help="show the output's values before and after the pipeline")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    given = parser.parse_args(arguments)
    if given.diff and given.topic != "output":
        parser.error("argument --diff: only for the output")
    return given
