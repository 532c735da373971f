"""Checks settings, brokers, topics, permissions and the consumer group before the start: `python pipeline.py check`.

It creates no topic, produces nothing, joins no group and commits nothing. Each line begins with `ok`, `warning` or
`wrong`. The exit code is the one that `run` would end with.
"""

import argparse
import json
from collections.abc import Iterator, Sequence

from loguru import logger

from runtime.errors import PipelineError
from runtime.observe import logs
from runtime.observe.output import UnwritableError, say
from runtime.settings import ENV_FILE, Settings
from runtime.stop.signals import stop_request
from tools.check.checks import Checks
from tools.check.finding import Finding, collected_warnings


def findings() -> Iterator[Finding]:
    """Yield the findings for the settings of the environment."""
    found: list[Finding] = []
    settings = None
    with collected_warnings() as warnings:
        try:
            settings = Settings.load(ENV_FILE)
        except PipelineError as error:
            found.append(Finding("wrong", "settings", str(error), error.exit_code))
    yield from (Finding("warning", "settings", warning) for warning in warnings)
    yield from found
    if settings is not None:
        shown = " ".join(f"{name}={value}" for name, value in settings.effective().items())
        yield Finding("ok", "settings", shown)
        yield from Checks(settings).findings()


def main(arguments: Sequence[str]) -> int:
    """Print each finding when it is made. Return the first wrong one's exit code."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("pipeline.py check", description=__doc__, formatter_class=formatter)
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    given = parser.parse_args(arguments)
    logs.configure("ERROR", "text")  # a warning becomes a finding
    stop_request.begin()
    exit_code = 0
    try:
        for finding in findings():
            say(json.dumps(finding._asdict()) if given.json else str(finding))
            exit_code = exit_code or finding.exit_code
    except UnwritableError as error:
        logger.error("{}", error)
        return error.exit_code
    return exit_code
