"""One logger: text or JSON lines, from every library."""

import json
import logging
import warnings
from types import SimpleNamespace

import pytest
from loguru import logger

from runtime import limits
from runtime.observe import logs
from runtime.observe.counters import Totals
from transforms import Reason

pytestmark = pytest.mark.usefixtures("logging_as_before")


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A text line has the time, the level, who logs, and what."""
    logs.configure("INFO", "text")
    logger.info("hello {}", "you")
    logging.getLogger("quixstreams.app").warning("from %s", "Quix")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("| hello you")
    assert "INFO" in first
    assert second.endswith("quixstreams.app | from Quix")
    assert "WARNING" in second


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON line is one object, also with a stack trace, and also from the standard library."""
    logs.configure("INFO", "json")
    logger.warning("two\nlines {x}")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("other").exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["message"]) == ("WARNING", "two\nlines {x}")
    assert (second["logger"], second["message"]) == ("other", "failed")
    assert second["exception"].rstrip().endswith("ValueError: why")


@pytest.mark.parametrize(("level", "lines"), [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)])
def test_level(level: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines below the level are omitted. A library's ERROR becomes a WARNING."""
    logs.configure(level, "text")
    for log in (logger.debug, logger.info, logger.warning, logger.error):
        log("x")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("library").log(number, "%d", number)
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2 * lines - (level == "ERROR")
    assert sum(" ERROR " in line for line in shown) == 1, "a library's error is a warning: the pipeline may outlive it"


def test_repeated(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's line is shown once in five seconds. Ours, and what has a stack trace, are shown each time."""
    now = 100.0
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: now))
    logs.configure("INFO", "text")
    library = logging.getLogger("library")
    for later in (1.0, 1.0, limits.REPEATED_LINE_INTERVAL, 1.0):
        for text in ("2/2 down", "0/2 down"):
            library.error(text)
        library.info("for information")
        logging.getLogger("another").warning("0/2 down")
        library.error("failed", exc_info=ValueError("why"))
        logger.warning("ours")
        now += later
    shown = capsys.readouterr().err
    assert [shown.count(text) for text in ("2/2 down", "library | 0/2 down", "for information", "ours")] == [2, 2, 2, 4]
    assert [shown.count(text) for text in ("another | 0/2 down", "ValueError: why")] == [2, 4]


@pytest.mark.parametrize("kind", ["transactional", "idempotence"])
def test_wait_for_id(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """A new producer that waits for its id is a warning only after 20 tries, and so is the next one."""
    logs.configure("DEBUG", "text")
    text = f"GETPID [rdkafka#producer-%d] [thrd:main]: Failed to acquire {kind} PID from broker a:1/1: x: retrying"
    for producer in (*[1] * 30, 2):
        logging.getLogger("quixstreams.kafka.producer").warning(text, producer)
    levels = [line.split()[2] for line in capsys.readouterr().err.splitlines()]
    assert levels == [*["DEBUG"] * 20, "WARNING", "DEBUG"]


def test_connected_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A new connection has a line only after a warning of the same logger: idle connections are closed and opened."""
    logs.configure("INFO", "text")
    client, other = logging.getLogger("quixstreams.kafka.producer"), logging.getLogger("quixstreams.kafka.consumer")
    for warning in (None, "Connect failed", None):
        if warning:
            client.warning(warning)
        for connected in (client, other):
            connected.info("broker 127.0.0.1:9092/1 (node 1) went down; 1 other broker(s) still available")
            connected.info("broker 127.0.0.1:9092/1 (node 1) is UP again (was INIT)")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" | ")[0][24:] for line in lines] == [
        "WARNING quixstreams.kafka.producer",
        "INFO    quixstreams.kafka.producer",
    ]


def test_connected_again_soon(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After each warning, the line that the broker is connected again is shown, though it may repeat the last one."""
    now = 100.0
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: now))
    logs.configure("INFO", "text")
    client = logging.getLogger("quixstreams.kafka.producer")
    for number in range(2):
        client.warning("Connect failed, attempt %d", number)
        now += 1.0
        client.info("broker 127.0.0.1:9092/1 (node 1) is UP again (was INIT)")
    assert capsys.readouterr().err.count("is UP again") == 2


def test_nothing_is_forged(capsys: pytest.CaptureFixture[str]) -> None:
    """A message can neither begin a line of its own nor move a terminal's cursor."""
    logs.configure("INFO", "text")
    logger.info("{}", "topic\n2026-01-01 ERROR forged\x1b[2J\u202e")
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "\x1b" not in err
    assert "\u202e" not in err


def test_no_values_in_traces(capsys: pytest.CaptureFixture[str]) -> None:
    """A stack trace shows no variable's value."""
    logs.configure("INFO", "text")
    secret = "canary" + str(len("x"))
    try:
        raise ValueError(len(secret))
    except ValueError:
        logger.exception("failed")
    assert "canary1" not in capsys.readouterr().err


def test_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """Python's warnings are logged."""
    logs.configure("INFO", "text")
    logging.captureWarnings(capture=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("mind this", stacklevel=1)
    assert "mind this" in capsys.readouterr().err


def test_malformed_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning of malformed records has its figures as separate members, for alerts."""
    logs.configure("INFO", "json")
    totals = Totals()
    for offset in (4, 5):
        totals.count(Reason.INVALID_JSON, "in", 3, offset)
    totals.commit()
    totals.warn()
    line = json.loads(capsys.readouterr().err)
    assert line.pop("time")
    assert line == {
        "level": "WARNING",
        "logger": "runtime.observe.counters",
        "message": "2 malformed records (invalid_json), latest at in[3]@5",
        "reason": "invalid_json",
        "count": 2,
        "topic": "in",
        "partition": 3,
        "offset": 5,
    }


def test_report_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A line with totals has them as separate members."""
    logs.configure("INFO", "json")
    totals = Totals(now=lambda: 1_700_000_002.5)
    totals.records.uncommitted = 2
    totals.count(Reason.INVALID_JSON, "in", 3, 5)
    totals.commit()
    totals.newest = 1_700_000_000_000
    totals.report([4])
    line = json.loads(capsys.readouterr().err)
    figures = {name: line[name] for name in line.keys() - {"time", "level", "logger", "message"}}
    assert figures == {"in": 2, "out": 2, "malformed": {"invalid_json": 1}, "partitions": 1, "lag": 4, "age": 2.5}
