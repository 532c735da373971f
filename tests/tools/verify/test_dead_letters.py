"""`python pipeline.py verify` on a real Kafka: its verdict on right and on faulty dead letters."""

import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import Misconfigured
from tests.kafka import Kafka, Record
from tests.pipeline.cases import CASES, NOW
from tests.process import Pipelines
from tests.tools.dead_letters import FORGED, dead_letters
from tests.tools.verify.test_command import RIGHT, SENT, audited, put, totals
from tests.tools.verify.verify_process import Verify
from tools.verify.range import Begin
from transforms import Reason


def headers(record: Record, name: str, value: bytes) -> list[tuple[str, bytes | None]]:
    """The record's headers, one of them changed."""
    return [(one, value if one == name else content) for one, content in record.headers]


def planted(letters: list[Record]) -> dict[str, tuple[list[Record], dict[str, list[int]]]]:
    """Doctored dead letters of SENT, of which every fifth is malformed, and the offsets that each fault names."""
    one = letters[3]
    return {
        "right": (letters, {}),
        "missing": ([*letters[:3], *letters[4:]], {"lost": [15]}),
        "twice": ([*letters[:4], *letters[3:]], {"duplicated": [4]}),
        "two swapped": ([*letters[:3], letters[4], one, *letters[5:]], {"reordered": [15, 20]}),
        "value": (put(letters, 3, value=RIGHT[15].value), {"wrong": [3]}),
        "key": (put(letters, 3, key=None), {"wrong": [3]}),
        "timestamp": (put(letters, 3, timestamp=one.timestamp + 1), {"wrong": [3]}),
        "reason": (put(letters, 3, headers=headers(one, "malformed", b"invalid_json")), {"wrong": [3]}),
        "detail": (put(letters, 3, headers=headers(one, "malformed.detail", b"?")), {"wrong": [3]}),
        "place": (put(letters, 3, headers=headers(one, "__streams.errors.offset", b"16")), {"wrong": [3]}),
        "header missing": (put(letters, 3, headers=one.headers[:-1]), {"wrong": [3]}),
        "of a login": ([*letters[:4], replace(SENT[16], headers=one.headers), *letters[4:]], {"wrong": [4]}),
    }


NAMES = list(planted(dead_letters(SENT, "in")))


def found_in(report: dict[str, Any]) -> dict[str, list[int]]:
    """The offsets of faulty dead letters that a report on one partition names."""
    (partition,) = report["dead_letters"]["partitions"]
    return {kind: offsets for kind, offsets in partition["examples"].items() if offsets}


@pytest.mark.parametrize("name", NAMES)
def test_planted(kafka: Kafka, topics: Callable[..., str], name: str) -> None:
    """Each fault planted in the dead letters is found, named by its offset, and nothing else is."""
    source, target, dead = (topics(name) for name in ("in", "out", "dead"))
    letters, faults = planted(dead_letters(SENT, source))[name]
    kafka.produce(source, SENT)
    kafka.produce(target, RIGHT)
    kafka.produce(dead, letters)

    report = audited(kafka, source, target, dead_letter=dead)
    assert report["total"] == totals(checked=len(SENT))
    assert found_in(report) == faults
    assert report["ok"] is (not faults)
    assert report["dead_letters"]["topic"] == dead
    counts = report["dead_letters"]["total"]
    assert counts["pending"] == counts["skipped"] == 0
    assert audited(kafka, source, target)["dead_letters"] is None


def test_range(kafka: Kafka, topics: Callable[..., str]) -> None:
    """--last and --from-timestamp count the dead letters of the range. A missing last one is pending."""
    source, target, dead = (topics(name) for name in ("in", "out", "dead"))
    kafka.produce(source, SENT)
    kafka.produce(target, RIGHT)
    kafka.produce(dead, dead_letters(SENT, source)[:-1])
    for begin in Begin(last=20), Begin(timestamp=SENT[20].timestamp):
        report = audited(kafka, source, target, begin, dead_letter=dead)
        assert report["ok"]
        assert report["dead_letters"]["total"] == totals(checked=3, pending=1)


def test_no_topic(kafka: Kafka, topics: Callable[..., str]) -> None:
    """If the dead-letter topic is missing, there is no verdict, and the error names the setting."""
    with pytest.raises(Misconfigured, match=r'"absent" not found on the broker; correct .*`dead_letter`'):
        audited(kafka, topics("in"), topics("out"), dead_letter="absent")


WEEK = 7 * 24 * 3_600_000
UNTIMED = {f"message.timestamp.{side}.max.ms": f"{2**63 - 1}" for side in ("before", "after")}
TIMED = {"message.timestamp.before.max.ms": f"{WEEK}"}
LIMITS = {"stubs": {**UNTIMED, "max.message.bytes": "4096"}, "new times": TIMED}
"""Those of dead-letter topics that do not take all originals as they are."""


@pytest.mark.parametrize("name", LIMITS)
def test_worker(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, name: str) -> None:
    """The dead letters that a worker writes for records of every reason are right, and each change of one is found."""
    source, target = topics("in", 2, UNTIMED), topics("out", 2, {**TIMED, "max.message.bytes": "20000"})
    dead = topics("dead", 2, LIMITS[name])
    old = [Record(case.record.key, case.record.value, [("a", b"1"), *FORGED], 1 + at) for at, case in enumerate(CASES)]
    new = [replace(record, timestamp=NOW + at) for at, record in enumerate(old)]
    sent = [*(case.record for case in CASES), *old, *new]
    kafka.produce(source, [replace(record, partition=at % 2) for at, record in enumerate(sent)])
    pipeline = pipelines.start(source, target, dead_letter=dead)
    outputs = kafka.read(target, len(sent))
    assert pipeline.stop() == 0

    tags = [record.headers[-1][1] for record in outputs if record.headers and record.headers[-1][0] == "malformed"]
    report = audited(kafka, source, target, dead_letter=dead)
    assert report["total"] == totals(checked=len(sent))
    assert report["dead_letters"]["total"] == totals(checked=len(tags))
    assert {*tags} == {reason.encode() for reason in Reason if reason is not Reason.TRANSFORM_FAILED}
    letters = kafka.read(dead, len(tags))
    assert any(b"the dead letter would take" in (one.value or b"") for one in letters) is (name == "stubs")
    assert all(one.timestamp > NOW - WEEK for one in letters) is (name == "new times")

    doctored, at = topics("dead", 2), len(letters) // 3
    kafka.produce(doctored, [*letters[:at], replace(letters[at], value=b"?"), *letters[at + 1 :]])
    for setting, value in LIMITS[name].items():
        kafka.alter_topic(doctored, setting, value)
    report = audited(kafka, source, target, dead_letter=doctored)
    assert not report["ok"]
    assert report["dead_letters"]["total"]["wrong"] == 1


@pytest.mark.long
@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_follow(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, guarantee: str) -> None:
    """Followed while a worker runs, all its dead letters are right. If the setting is newer, the first are skipped.

    With --complete, what is not processed is an error, in both topics.
    """
    source, target, dead = (topics(name, 2) for name in ("in", "out", "dead"))
    batches = [[replace(record, partition=at % 2) for at, record in enumerate(SENT * 50)] for _ in "123"]
    kafka.produce(source, batches[0])
    before = pipelines.start(source, target, PROCESSING_GUARANTEE=guarantee)
    kafka.read(target, len(batches[0]))
    assert before.stop() == 0
    kafka.produce(source, batches[1])
    with Verify(kafka.address, source, target, "--follow", "--json", "--complete", dead_letter=dead) as follower:
        follower.wait_for(checked=len(batches[0]))
        pipeline = pipelines.start(source, target, dead_letter=dead, PROCESSING_GUARANTEE=guarantee)
        follower.wait_for(checked=2 * len(batches[0]))
        kafka.produce(source, batches[2])
        follower.wait_for(checked=3 * len(batches[0]))
        assert pipeline.stop() == 0
        follower.send(signal.SIGTERM)
        report = follower.report()
    malformed = len(batches[0]) // 5
    assert (report["exit_code"], report["total"]) == (0, totals(checked=3 * len(batches[0])))
    assert report["dead_letters"]["total"] == totals(checked=2 * malformed, skipped=malformed)

    kafka.produce(source, batches[0][:10])
    with Verify(kafka.address, source, target, "--json", "--complete", dead_letter=dead) as run:
        report = run.report()
    assert report["exit_code"] == 1
    assert report["dead_letters"]["total"] == totals(checked=2 * malformed, skipped=malformed, pending=2)
