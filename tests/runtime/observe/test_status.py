"""The members of /status.json."""

import json

import pytest

from runtime import __version__, limits
from runtime.observe.counters import Share
from runtime.observe.health import Health
from runtime.observe.status import Status
from tests.runtime.clock import Clock
from tests.runtime.observe.test_statistics import AT_END, statistics
from transforms import Reason

NAMES = {"input": "in", "output": "out", "group": "g", "client": "host-1"}


@pytest.fixture
def status() -> Status:
    """The state of a worker that has done nothing yet."""
    return Status(NAMES, {"COMMIT_EVERY": 10})


def test_begin(status: Status) -> None:
    """Before the first record, counts are 0, and what is not known is null or empty."""
    document = json.loads(json.dumps(status.document()))
    assert document.pop("now") >= document.pop("started") > 0
    assert document.pop("versions").keys() == {"quixstreams", "librdkafka", "openssl"}
    assert document == {
        "version": __version__,
        "state": "waiting for the group",
        "ready": False,
        "problems": ["the consumer group is not joined yet"],
        **NAMES,
        "records_in": 0,
        "records_out": 0,
        "rates": [],
        "partitions": [],
        "malformed": [],
        "latency": None,
        "checkpoints": {"count": 0, "failures": 0, "records": None, "seconds": None, "age": None},
        "producers_replaced": 0,
        "rebalances": 0,
        "settings": {"COMMIT_EVERY": "10"},
    }


def test_running(status: Status) -> None:
    """Counts, partitions and malformed records are those of the worker. The most frequent reason is first."""
    status.progress.positions = lambda: {("user-login", 0): 11}
    status.progress.take(statistics(AT_END))
    status.handle({("user-login", 0): Share(5, 1_700_000_000_000, 1_700_000_001_000, 11)}, 100)
    for offset, reason in enumerate([Reason.NULL_VALUE, Reason.INVALID_JSON, Reason.INVALID_JSON]):
        status.totals.count(reason, "user-login", 0, offset)
    status.totals.commit(0.5)

    document = json.loads(json.dumps(status.document()))
    assert (document["state"], document["ready"], document["problems"]) == ("running", True, [])
    assert (document["records_in"], document["records_out"]) == (5, 5)
    assert document["partitions"] == [
        {
            "topic": "user-login",
            "partition": 0,
            "offset": 11,
            "lag_records": 0,
            "lag_seconds": 0.0,
            "stalled_seconds": 0.0,
        }
    ]
    assert document["malformed"] == [
        {"reason": "invalid_json", "count": 2, "latest": "user-login[0]@2"},
        {"reason": "null_value", "count": 1, "latest": "user-login[0]@0"},
    ]
    assert document["latency"]["p50"] == document["latency"]["p99"] == 7200
    assert (document["checkpoints"]["records"], document["checkpoints"]["seconds"]) == (5, 0.5)


def test_hanging_loop(status: Status) -> None:
    """If the loop hangs, that is the state."""
    clock = Clock()
    status.health = Health(clock=clock)
    clock.now += limits.READY_TIMEOUT + 1
    document = status.document()
    assert document["state"] == "no loop iteration for 16 s"
    assert document["problems"] == ["no loop iteration for 16 s"]


def test_iterate(status: Status, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each iteration is a heartbeat, and the report uses the same lag."""
    monkeypatch.setattr(limits, "REPORT_INTERVAL", 0.0)
    status.progress.positions = lambda: {("user-login", 0): 8, ("user-login", 1): 11}
    status.progress.take(statistics(AT_END | {"next_offset": 9}, AT_END | {"partition": 1}))
    status.iterate()
    assert lines == ["INFO running: 0 in, 0 out, 0 malformed; 2 partitions, lag 3"]
