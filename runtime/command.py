"""Runs a command of this repository: its settings, its logs, and an exit code for whatever stops it."""

from collections.abc import Callable
from typing import TypeVar

from loguru import logger

from runtime.errors import Stopped, Unexpected
from runtime.explain import explain
from runtime.observe import logs
from runtime.settings import BrokerSettings
from runtime.stop.signals import stop_request

AnySettings = TypeVar("AnySettings", bound=BrokerSettings)


def run_command(load: Callable[[], AnySettings], run: Callable[[AnySettings], None]) -> int:
    """Load the settings, run with them, and give the exit code that runtime/errors.py lists.

    What stops it becomes one line; a stack trace is shown only for what nobody foresaw, or with LOG_LEVEL=DEBUG.
    """
    logs.configure("INFO", "text")
    stop_request.begin()
    broker, cloud = "", False
    try:
        settings = load()
        cloud = settings.address is None
        broker = settings.broker
        logs.configure(settings.log_level, settings.log_format)
        logger.info("starting: {}", " ".join(f"{name}={value}" for name, value in settings.effective().items()))
        run(settings)
    except Stopped as stop:
        logger.info("stopped: {}", stop)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (whatever it is becomes one line and a code)
        known = explain(error, broker, cloud=cloud)
        logger.opt(exception=error if isinstance(known, Unexpected) else None).error("{}", known)
        logger.opt(exception=error).debug("this is where it came from")
        return known.exit_code
    return 0
