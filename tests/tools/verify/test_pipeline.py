"""`python pipeline.py verify` during a run of the pipeline, and the process's output, exit codes and signals."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests import wire
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.cases import CASES
from tests.process import Pipelines
from tests.tools.verify.test_command import audited
from tests.tools.verify.verify_process import ROOT, Verify
from tools.broker.protocol import RawRecord
from tools.verify.findings import COUNTS

pytestmark = pytest.mark.long

LIMIT = {"max.message.bytes": "20000"}
"""Some of the cases are larger than that."""

LOGINS = [
    Record(b"k%d" % (number % 50) if number % 4 else None, b'{"n": %d, "device_type": "ios"}' % number)
    for number in range(2_000)
]


def test_follow(kafka: Kafka, pipelines: Pipelines) -> None:
    """Followed from before the pipeline starts to after its end, every kind of record that it writes is right.

    Its lines come at most once a second, what waits is pending, SIGTERM ends in a final line, and 0. A record that is
    then written once more makes the next audit end in 1, and its report names the place.
    """
    source, target = (
        kafka.create_topic("followed-in", 2),
        kafka.create_topic("followed-out", 2, LIMIT),
    )
    kafka.produce(source, [replace(case.record, partition=number % 2) for number, case in enumerate(CASES)])
    wire.produce(kafka.address, source, [RawRecord(b"k", b"{}", [(b"x\xff", b"1")])], timestamp=5)
    for value in (b'{"device_type": "ios"}', b"{}"):
        wire.produce(kafka.address, source, [RawRecord(b"k", value)] * 3, timestamp=0, partition=1)
    count = len(CASES) + 1 + 6
    with Verify(kafka.address, source, target, "--follow", "--json") as follower:
        first = follower.wait_for(pending=count)
        assert first["total"] == {**dict.fromkeys(COUNTS, 0), "pending": count}
        assert first["ok"]
        pipeline = pipelines.start(source, target)
        found = follower.wait_for(checked=count)
        assert not found["final"]
        kafka.produce(source, [replace(record, partition=number % 2) for number, record in enumerate(LOGINS)])
        follower.wait_for(checked=count + len(LOGINS))
        assert pipeline.stop() == 0
        kafka.produce(source, LOGINS[:10])
        follower.send(signal.SIGTERM)
        last = follower.report()
    assert last["exit_code"] == 0
    assert last["final"]
    assert last["ok"]
    assert last["total"] == {**dict.fromkeys(COUNTS, 0), "checked": count + len(LOGINS), "pending": 10}
    assert [row["partition"] for row in last["partitions"]] == [0, 1]

    twice = kafka.read(target, 1)[-1]
    kafka.produce(target, [twice])
    with Verify(kafka.address, source, target) as run:
        code, out, _ = run.end()
    assert code == 1
    end = kafka.end_offsets(target)[1] - 1
    assert f"partition 1: duplicated at output offset {end}\n" in out
    assert "NOT OK: " in out
    assert out.splitlines()[0].split() == ["partition", *COUNTS]


def test_no_verdict() -> None:
    """A signal before there is a verdict ends it in 70, and a wrong command line in 2. Neither prints a report."""
    with Verify("127.0.0.1:9", "in", "out", LOG_LEVEL="INFO") as away, Verify("", "in", "out", "--last", "-1") as wrong:
        code, _, err = wrong.end()
        assert code == 2
        assert "--last" in err
        away.wait_for_log("starting: ")
        away.send(signal.SIGTERM)
        code, out, err = away.end()
    assert (code, out) == (70, "")
    assert "there is no verdict" in err


def test_early_signal() -> None:
    """A signal during the imports is remembered: it ends in 70, as 0 would mean that the output is right."""
    with Verify("127.0.0.1:9", "in", "out", PYTHONPROFILEIMPORTTIME="1") as run:
        run.wait_for_log("| argparse")
        run.send(signal.SIGTERM)
        code, out, _ = run.end()
    assert (code, out) == (70, "")


BAR = "import sys; from tools.verify import command; command.LONG = {long}; sys.exit(command.main(sys.argv[1:]))"


@pytest.mark.parametrize(("long", "is_shown"), [(10, True), (100_000, False)])
def test_progress(kafka: Kafka, long: int, *, is_shown: bool) -> None:
    """A long run shows how far it is on a terminal. What it prints stays the report, here from a timestamp on."""
    source, target = (kafka.create_topic(f"{name}-{long}") for name in ("bar-in", "bar-out"))
    records = [Record(None, b'{"device_type": "IOS"}', [], 1_700_000_000_000 + number) for number in range(50)]
    for name in (source, target):
        kafka.produce(name, records)
    terminal, end = pty.openpty()
    own = {"Quix__Broker__Address": kafka.address, "input": source, "output": target, "LOG_LEVEL": "WARNING"}
    run = subprocess.run(
        [sys.executable, "-c", BAR.format(long=long), "--json", "--from-timestamp", "1700000000030"],
        env=os.environ | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | own,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=end,
        timeout=2 * TIMEOUT,
        check=True,
    )
    os.set_blocking(terminal, False)
    try:
        shown = os.read(terminal, 1 << 16)
    except BlockingIOError:
        shown = b""
    os.close(end)
    os.close(terminal)
    assert (b"comparing" in shown) is is_shown
    assert json.loads(run.stdout)["total"] == {**dict.fromkeys(COUNTS, 0), "checked": 20}


def test_missing(kafka: Kafka) -> None:
    """A missing topic ends in 78, and is not created."""
    with Verify(kafka.address, "not-there", "nor-there") as run:
        code, out, err = run.end()
    assert (code, out) == (78, "")
    assert "not-there" in err


def test_more_output_partitions(kafka: Kafka, pipelines: Pipelines) -> None:
    """An output with more partitions than the input, and one that gains some meanwhile, is right."""
    source, target = kafka.create_topic("three-in", 3), kafka.create_topic("five-out", 5)
    sent = [replace(record, partition=number % 3) for number, record in enumerate(LOGINS)]
    kafka.produce(source, sent)
    with Verify(kafka.address, source, target, "--follow", "--json") as follower:
        pipeline = pipelines.start(source, target)
        follower.wait_for(checked=len(LOGINS))
        kafka.add_partitions(target, 7)
        kafka.produce(source, sent)
        follower.wait_for(checked=2 * len(LOGINS))
        assert pipeline.stop() == 0
        follower.send(signal.SIGTERM)
        report = follower.report()
    assert report["exit_code"] == 0
    assert report["total"] == {**dict.fromkeys(COUNTS, 0), "checked": 2 * len(LOGINS)}
    assert [row["partition"] for row in report["partitions"]] == [0, 1, 2]

    kafka.produce(target, [replace(LOGINS[0], partition=4)])
    report = audited(kafka, source, target)
    assert report["total"] == {**dict.fromkeys(COUNTS, 0), "checked": 2 * len(LOGINS), "wrong": 1}
    assert report["partitions"][-1]["examples"]["wrong"] == [0]


UNLIMITED = {"message.timestamp.before.max.ms": str(2**63 - 1), "message.timestamp.after.max.ms": str(2**63 - 1)}
WEEK, HOUR = 7 * 24 * 3_600_000, 3_600_000
LIMITED = {"message.timestamp.before.max.ms": str(WEEK), "message.timestamp.after.max.ms": str(HOUR)}


def test_refused_timestamps(kafka: Kafka, pipelines: Pipelines) -> None:
    """What the pipeline makes of timestamps that the output refuses is right. Another value with its tag is wrong."""
    source = kafka.create_topic("timed-in", 2, UNLIMITED)
    target = kafka.create_topic("timed-out", 2, LIMITED)
    now = int(time.time() * 1000)
    values = [
        b'{"device_type": "ios"}',
        b'{"device_type": "IOS"}',
        b"[]",
        None,
        b'{"malformed": 1, "device_type": "b"}',
    ]
    sent = [
        Record(b"k%d" % (at % 7), values[at % 5], timestamp=[now, now - 2 * WEEK, now + 2 * HOUR][at // 2 % 3] + at)
        for at in range(600)
    ]
    kafka.produce(source, [replace(record, partition=at % 2) for at, record in enumerate(sent)])
    pipeline = pipelines.start(source, target)
    outputs = kafka.read(target, len(sent))
    assert pipeline.stop() == 0
    assert audited(kafka, source, target)["total"] == {**dict.fromkeys(COUNTS, 0), "checked": len(sent)}
    refused = [at for at, one in enumerate(outputs) if one.headers[-1:] == [("malformed", b"refused_timestamp")]]
    assert len(refused) == 240

    doctored = kafka.create_topic("timed-doctored", 2, LIMITED)
    at = next(at for at in refused[90:] if b'{"device_type": "' in (outputs[at].value or b""))
    other = (outputs[at].value or b"").replace(b'{"device_type": "', b'{"device_type":"')
    kafka.produce(doctored, [*outputs[:at], replace(outputs[at], value=other), *outputs[at + 1 :]])
    total = audited(kafka, source, doctored)["total"]
    assert total == {**dict.fromkeys(COUNTS, 0), "checked": len(sent) - 1, "wrong": 1}
