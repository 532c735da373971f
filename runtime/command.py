"""The command line: selects a command, and runs it with settings, logs and an exit code."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, TypeVar

from loguru import logger

from runtime import INSTRUMENTATION_REMOVED, __version__
from runtime.errors import Stopped, Unexpected
from runtime.explain import explain
from runtime.observe import logs
from runtime.observe.tracing import INSTRUMENTATION_REMOVED_TEXT
from runtime.settings import BrokerSettings
from runtime.settings.environment import log_options
from runtime.stop.signals import stop_request

AnySettings = TypeVar("AnySettings", bound=BrokerSettings)


class Command(NamedTuple):
    """A command of the command line."""

    main: Callable[[Sequence[str]], int]
    """Takes the arguments after the command's name, and returns the exit code."""
    summary: str
    """One line for --help."""


def imported(module: str) -> Callable[[Sequence[str]], int]:
    """Give a function that imports this module and runs its `main`, so that `run` does not wait for the import."""

    def main(arguments: Sequence[str]) -> int:
        exit_code: int = import_module(module).main(arguments)
        return exit_code

    return main


def dispatch(description: str | None, commands: Mapping[str, Command], default: str, arguments: Sequence[str]) -> int:
    """Run the command that the first argument names (without arguments, the default one), and return its exit code.

    Raises:
        SystemExit: the arguments are wrong (2), or they are --help or --version (0).
    """
    if arguments and arguments[0] in commands:
        return commands[arguments[0]].main(arguments[1:])
    formatter = argparse.RawDescriptionHelpFormatter
    epilog = "Settings are environment variables: docs/settings.md. Exit codes: docs/operations.md."
    usage = "%(prog)s [COMMAND [OPTIONS]]"
    parser = argparse.ArgumentParser(usage=usage, description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"user-login-pipeline {__version__}")
    listed = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command in commands.items():
        listed.add_parser(name, help=command.summary)
    parser.parse_args(arguments)
    return commands[default].main([])


def run_command(
    kind: type[AnySettings], env_file: Path | None, run: Callable[[AnySettings], None], *, announce: bool = True
) -> int:
    """Load the settings, run, and return an exit code of runtime/errors.py.

    An error is logged as one line. Unexpected errors include a stack trace; with LOG_LEVEL=DEBUG all do.

    Args:
        kind: the class of the settings.
        env_file: supplies the settings that the environment does not set.
        run: does the command's work.
        announce: whether the settings are logged as INFO; otherwise as DEBUG.
    """
    logs.configure(*log_options())
    stop_request.begin()
    broker, cloud = "", False
    try:
        logs.configure(*log_options(env_file))
        settings = kind.load(env_file)
        cloud = settings.address is None
        broker = settings.broker
        shown = {"version": __version__, **settings.effective()}
        text = " ".join(f"{name}={value}" for name, value in shown.items())
        logger.bind(settings=shown).log("INFO" if announce else "DEBUG", "starting: {}", text)
        if INSTRUMENTATION_REMOVED:
            logger.info(INSTRUMENTATION_REMOVED_TEXT)
        run(settings)
    except Stopped as stop:
        logger.info("stopped: {}", stop)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (each error becomes one line and an exit code)
        known = explain(error, broker, cloud=cloud)
        logger.opt(exception=error if isinstance(known, Unexpected) else None).error("{}", known)
        logger.opt(exception=error).debug("this is where it came from")
        return known.exit_code
    return 0
