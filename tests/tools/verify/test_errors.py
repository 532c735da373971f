"""How `python pipeline.py verify` ends if it cannot compare, or cannot write its report."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import pytest

from tests.errors_page import NO_LINE, check_row
from tests.kafka import TIMEOUT, Kafka
from tests.pipeline.expected import expected
from tests.pipeline.test_bombs import send_bomb
from tests.tools.verify.test_command import RIGHT, SENT, delete_before
from tests.tools.verify.verify_process import ROOT, Verify
from tools.environment import without_settings

pytestmark = pytest.mark.long


class Run(NamedTuple):
    """One run: the topics, the options, and what the shell does with standard output."""

    source: str
    target: str
    options: str = ""
    redirection: str = ""


RUNS = {
    "verify: an empty range": Run("in", "out", "--complete --last 0"),
    "verify: an empty range, as JSON": Run("in", "out", "--complete --last 0 --json"),
    "verify: a timestamp after all records": Run("in", "out", "--from-timestamp 1800000000000"),
    "verify: the largest timestamp": Run("in", "out", f"--from-timestamp {2**63 - 1}"),
    "verify: both topics are empty": Run("empty", "empty-too", "--complete --last 0"),
    "verify: no output topic": Run("in", "absent"),
    "verify: a batch of the input that cannot be decompressed": Run("in-bomb", "out-bomb"),
    "verify: a batch of the output that cannot be decompressed": Run("in", "bomb-last"),
    "verify: the records after such a batch": Run("in-bomb", "out-bomb", "--from-timestamp {after_bomb}"),
    "verify: standard output is closed": Run("in", "out", "", ">&-"),
    "verify: standard output is closed, and a record is lost": Run("in", "out-lost", "", ">&-"),
    "verify: standard output on a full disk": Run("in", "out-lost", "--json", ">/dev/full"),
    "verify: the reader of its lines ends": Run("in", "out", "--follow --json", "| head -n 1"),
}
"""By situation. Each line is the last one of standard error, otherwise the verdict.

`{after_bomb}` is a timestamp after those of the batches that cannot be decompressed.
"""

SECONDS = {r"\(\d+\.\d s\)": "(0.1 s)"}
PREFIX = "errors-"


class Ended(NamedTuple):
    """The exit code of a run, and the lines that it wrote."""

    code: int
    out: list[str]
    err: list[str]


@pytest.fixture(scope="module")
def ended(kafka: Kafka) -> Mapping[str, Ended]:
    """All runs, four at a time."""
    after_bomb = int(time.time() * 1000) + 600_000
    later = [replace(record, timestamp=after_bomb + number) for number, record in enumerate(SENT[:10])]
    for name, records in {
        "in": SENT,
        "out": RIGHT,
        "out-lost": RIGHT[1:],
        "empty": [],
        "empty-too": [],
        "in-bomb": SENT,
        "bomb-last": RIGHT,
        "out-bomb": [*RIGHT, *map(expected, later)],
    }.items():
        kafka.produce(kafka.create_topic(PREFIX + name), records)
    for name in ("in-bomb", "bomb-last"):
        assert send_bomb(kafka, PREFIX + name) is None
    kafka.produce(f"{PREFIX}in-bomb", later)
    with ThreadPoolExecutor(4) as pool:
        ends = pool.map(lambda run: end_of(run, kafka.address, after_bomb), RUNS.values())
        return dict(zip(RUNS, ends, strict=True))


def end_of(run: Run, address: str, after_bomb: int) -> Ended:
    """Run it in a shell, which writes the exit code."""
    own = {"input": PREFIX + run.source, "output": PREFIX + run.target, "LOG_LEVEL": "WARNING"}
    options = run.options.format(after_bomb=after_bomb).split()
    script = f'{{ "$@"; echo "$?" >&2; }} {run.redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "pipeline.py", "verify", *options],
        env={**without_settings(), **own, "Quix__Broker__Address": address},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    *err, code = done.stderr.splitlines()
    return Ended(int(code), done.stdout.splitlines(), err)


@pytest.mark.parametrize("name", RUNS)
def test_end(ended: Mapping[str, Ended], name: str) -> None:
    """The exit code and the line say what it is, and 1 is only for a fault that was found."""
    code, out, err = ended[name]
    assert "Traceback" not in "\n".join(err)
    assert (code == 1) is ("is lost" in name)
    if "--json" in RUNS[name].options and out:
        assert json.loads(out[-1])["ok"] is (code == 0 or "--follow" in RUNS[name].options)
    (*_, line) = err or out or [NO_LINE]
    check_row("Tools", name, code, line, SECONDS)


def test_deleted_unread(kafka: Kafka) -> None:
    """Records that were deleted (retention) before it could read them are skipped. The others are compared."""
    source, target = kafka.create_topic("deleted-in"), kafka.create_topic("deleted-out")
    with Verify(kafka.address, source, target, "--follow", "--json") as run:
        run.wait_for(checked=0)
        run.pause()
        kafka.produce(source, SENT)
        kafka.produce(target, RIGHT)
        delete_before(kafka, source, 15)
        delete_before(kafka, target, 10)
        run.send(signal.SIGTERM)
        run.send(signal.SIGCONT)
        code, out, err = run.end()
    assert err == ""
    report = json.loads(out.splitlines()[-1])
    assert report["total"]["checked"] == 25
    assert report["total"]["skipped"] >= 15
    check_row("Tools", "verify: records were deleted before it could read them", code, NO_LINE)
