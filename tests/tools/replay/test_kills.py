"""Replays that are killed, that run at the same time, or that a signal stops: each record is sent back once."""

import random
import re
import signal
from collections.abc import Callable

import pytest

from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.process import Pipeline, Pipelines
from tests.tools.replay.records import dead_letter, originals, replayed
from tools.waiting import wait_until
from transforms import Reason

pytestmark = pytest.mark.long

KILLS, RECORDS, RATE = 20, 12_000, 500
SENT = re.compile(r"sent ([\d,]+) records back")


class Running:
    """Dead letters of two partitions and three reasons, and replays of them."""

    def __init__(self, kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, count: int) -> None:
        self.kafka, self._pipelines = kafka, pipelines
        self.source, self.dead = topics("in", 2), topics("dead", 2)
        self.records = originals(count, 2)
        reasons = [Reason.INVALID_JSON, Reason.INVALID_UTF8, Reason.EMPTY_VALUE]
        kafka.produce(self.dead, [dead_letter(self.source, one, reasons[n % 3]) for n, one in enumerate(self.records)])

    def start(self, *options: str) -> Pipeline:
        """Start a replay."""
        return self._pipelines.start(self.source, "out", "replay", *options, dead_letter=self.dead)

    def written(self) -> int:
        """How far the input topic was written to: records, also of an open transaction, and markers."""
        return sum(self.kafka.end_offsets(self.source).values())

    def wait_until_sent(self, count: int) -> None:
        """Wait until a replay has sent this many more records. They need not be committed."""
        before = self.written()
        wait_until(lambda: self.written() >= before + count, f"{count} records of a replay")

    def visible(self) -> list[Record]:
        """The records that are committed."""
        return self.kafka.read(self.source, 0)


def sent(replay: Pipeline) -> int:
    """How many records a replay says that it has sent."""
    found = SENT.search(replay.log)
    assert found is not None, replay.log
    return int(found[1].replace(",", ""))


def test_killed(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A replay that is killed 20 times in the middle sends every record once, in order."""
    running, seeded, in_transaction = Running(kafka, topics, pipelines, RECORDS), random.Random(18), 0
    for _ in range(KILLS):
        replay = running.start("--rate", f"{RATE}")
        running.wait_until_sent(seeded.randrange(1, 600))
        assert replay.stop(signal.SIGKILL) == -signal.SIGKILL
        visible = len(running.visible())
        assert visible < RECORDS
        in_transaction += len(kafka.read(running.source, 0, isolation="read_uncommitted")) > visible
    assert in_transaction > KILLS // 2
    assert 0 < visible < RECORDS
    last = running.start()
    assert last.wait() == 0
    assert sent(last) == RECORDS - visible
    assert running.visible() == replayed(running.records)


def test_two_at_once(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """A second replay ends the first, which says so, and sends the rest: each record once."""
    running = Running(kafka, topics, pipelines, 10_000)
    first = running.start("--rate", "200")
    running.wait_until_sent(300)
    second = running.start("--rate", "5000")
    code = first.wait()
    names = {running.source: "in", r" \(.*\)$": " (...)"}
    check_row("Tools", "replay: a second one has begun", code, first.wait_for("ERROR"), names)
    assert second.wait() == 0
    assert sent(first) > 0
    assert sent(first) + sent(second) == 10_000
    assert running.visible() == replayed(running.records)


@pytest.mark.parametrize("options", [[], ["--rate", "400"], ["--limit", "150"]], ids=str)
def test_started_together(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, options: list[str]) -> None:
    """Of three that start together, each ends with 0 or 70, and no record is sent twice."""
    running = Running(kafka, topics, pipelines, 1_000)
    replays = [running.start(*options) for _ in range(3)]
    assert {replay.wait() for replay in replays} <= {0, 70}
    last = running.start()
    assert last.wait() == 0
    assert running.visible() == replayed(running.records)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, number: signal.Signals) -> None:
    """A signal ends it with 0 after the transaction, and its last line counts what is committed."""
    running = Running(kafka, topics, pipelines, 1_000)
    replay = running.start("--rate", "100")
    running.wait_until_sent(150)
    assert replay.stop(number) == 0
    assert "; stopped before the end" in replay.log
    assert sent(replay) == len(running.visible()) >= 100
    last = running.start()
    assert last.wait() == 0
    assert sent(replay) + sent(last) == 1_000
    assert running.visible() == replayed(running.records)
