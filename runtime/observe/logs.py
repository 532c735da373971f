"""Configures loguru, the one logger of the pipeline, quixstreams, librdkafka and the standard library."""

import json
import logging
import re
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from loguru import logger

from runtime import limits

if TYPE_CHECKING:
    from loguru import Message, Record


def configure(level: str, form: str) -> None:
    """Log messages of `level` and above to standard error.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        form: `text`, or `json` for one JSON object per line.
    """
    logger.remove()
    # diagnose=True would print the values of variables, for example a login's fields.
    if form == "json":
        logger.add(_write_json, level=level, backtrace=False, diagnose=False)
    else:
        logger.add(sys.stderr, level=level, format=_text, colorize=False, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=level, force=True)


_WAITS_FOR_ID = re.compile(r"Failed to acquire (transactional|idempotence) PID")
"""librdkafka's warning, twice a second, while a new producer waits for its coordinator to load or its predecessor's
transaction to end. confluent-kafka passes the warnings on after the wait."""
_USUAL_WAITS = 20
_WENT_DOWN = "other broker(s) still available"
"""Quix's line for each connection (also an idle one) that is closed, if others are open. Of a broker that does not
answer, librdkafka warns."""
_UP_AGAIN = "is UP again"
"""Quix's line for each new connection. Idle connections are closed every few seconds (client_config.py)."""


class _ToLoguru(logging.Handler):
    """Passes the standard library's log records to loguru, with their logger's name.

    ERROR becomes WARNING: the pipeline logs one ERROR, the line that ends the process. librdkafka's errors are failed
    connections, which it retries.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[tuple[str, int, str], float] = {}
        self._waiting, self._waits = "", 0  # the producer that waits for its coordinator, and its warnings
        self._warned: set[str] = set()  # the loggers that have warned since their last line with _UP_AGAIN

    def emit(self, record: logging.LogRecord) -> None:
        is_usual = self._is_usual(record)
        if record.levelno >= logging.INFO and not record.exc_info and not is_usual:
            if record.levelno >= logging.WARNING:
                self._warned.add(record.name)
            if self._is_repeated(record) and _UP_AGAIN not in record.getMessage():
                return
        name = logging.getLevelName(logging.DEBUG if is_usual else min(record.levelno, logging.WARNING))
        try:
            level: str | int = logger.level(name).name
        except ValueError:
            level = record.levelno
        named_logger = logger.patch(lambda to: to.update({"name": record.name})).opt(exception=record.exc_info)
        named_logger.log(level, "{}", record.getMessage())

    def _is_usual(self, record: logging.LogRecord) -> bool:
        """Whether it is not worth a line."""
        message = record.getMessage()
        if _UP_AGAIN in message:
            is_usual = record.name not in self._warned
            self._warned.discard(record.name)
            return is_usual
        return _WENT_DOWN in message or (bool(_WAITS_FOR_ID.search(message)) and not self._waits_for_long(record))

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        self._shown = {line: at for line, at in self._shown.items() if now - at < limits.REPEATED_LINE_INTERVAL}
        return self._shown.setdefault((record.name, record.levelno, record.getMessage()), now) != now

    def _waits_for_long(self, record: logging.LogRecord) -> bool:
        producer = record.getMessage().partition("]")[0]
        self._waits = self._waits + 1 if producer == self._waiting else 1
        self._waiting = producer
        return self._waits > _USUAL_WAITS


def _one_line(text: str) -> str:
    """Escape characters that could forge a log line or control a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _text(record: "Record") -> str:
    record["extra"]["line"] = _one_line(record["message"])
    return "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {name} | {extra[line]}\n{exception}"


def _write_json(message: "Message") -> None:
    record = message.record
    line: dict[str, Any] = {
        "time": record["time"].isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        **record["extra"],
    }
    if record["exception"] is not None:
        line["exception"] = "".join(traceback.format_exception(record["exception"].value))
    sys.stderr.write(json.dumps(line, default=str) + "\n")
