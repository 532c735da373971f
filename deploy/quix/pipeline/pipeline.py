"""Reads user logins, upper-cases `device_type`, tags what is malformed, and writes every record on.

The path of one record: input topic -> TRANSFORMS, bytes to bytes (transforms/login.py) -> the dataframe's last step
(runtime/loop/sink.py; runtime/loop/output_record.py adds the header) -> output topic. A checkpoint then commits the
produced records and the consumed offsets together.

To add a transform, write it in a new file in transforms/ and add it to TRANSFORMS.
"""

import sys

from runtime.observe.streams import discard_unwritable, replace_closed
from runtime.stop.signals import leave, stop_request

if __name__ == "__main__":
    replace_closed()
    stop_request.listen(leave_at_once=sys.argv[1:] in ([], ["run"]))  # before the slow imports

import argparse
from collections.abc import Sequence

from loguru import logger

from runtime.command import Command, dispatch, imported, run_command
from runtime.errors import Stopped
from runtime.loop.application import Application
from runtime.settings import ENV_FILE, Settings
from transforms import FirstTransform, Transform, chain, upper_device_type

TRANSFORMS: tuple[FirstTransform, *tuple[Transform, ...]] = (upper_device_type,)


def log_trace(transform: str, error: Exception) -> None:
    """Log where a transform raised, without the exception's text: it may contain a field's value."""
    trace = TransformError(type(error).__name__).with_traceback(error.__traceback__)
    logger.opt(exception=trace).debug("the transform {} raised {}", transform, type(error).__name__)


class TransformError(Exception):
    """Replaces the exception of a transform in the log."""


def build(settings: Settings) -> Application:
    """Build the pipeline without running it.

    Raises:
        PipelineError: no broker answers, or a topic is missing or unsuitable.
    """
    app = Application(settings)
    source, target = app.open_topics()
    frame = app.dataframe(source)
    frame = frame.apply(chain(*TRANSFORMS, on_error=log_trace))
    app.to_topic(frame, target)
    return app


def run(settings: Settings) -> None:
    """Run the pipeline until a signal asks to stop."""
    app = build(settings)
    try:
        app.run()
    except Stopped:
        raise
    except BaseException:
        text = "failed: {}; what was not committed will be processed again at the next start"
        logger.bind(**app.totals.members()).warning(text, app.totals)
        raise
    logger.bind(**app.totals.members()).info("stopped: {}", app.totals)


def run_main(arguments: Sequence[str]) -> int:
    """Run the pipeline with the settings of the environment."""
    argparse.ArgumentParser("pipeline.py run", description=COMMANDS["run"].summary).parse_args(arguments)
    return run_command(Settings, ENV_FILE, run)


def try_main(arguments: Sequence[str]) -> int:
    """Show what the transforms make of values, without a broker."""
    from tools.try_transforms import main  # noqa: PLC0415  (`run` must not wait for this import)

    return main(chain(*TRANSFORMS, on_error=log_trace), arguments)


COMMANDS = {
    "run": Command(run_main, "run the pipeline (the default)"),
    "check": Command(
        imported("tools.check.command"),
        "check settings, brokers, topics, permissions and the group, and change no topic",
    ),
    "replay": Command(
        imported("tools.replay.command"), "send dead letters' originals back to the input topic, each once"
    ),
    "tail": Command(
        imported("tools.tail.command"), "show the last records of the output, the input or the dead letters"
    ),
    "try": Command(try_main, "show what the transforms make of values, without a broker"),
    "verify": Command(
        imported("tools.verify.command"), "compare the output topic with the input topic, record by record"
    ),
}


def main() -> int:
    """Run the command of the command line, and return an exit code of runtime/errors.py."""
    try:
        return dispatch(__doc__, COMMANDS, "run", sys.argv[1:])
    finally:
        discard_unwritable()


if __name__ == "__main__":
    leave(main())
