"""The orders between time limits that runtime/limits.py and its users rely on."""

import re
from pathlib import Path

import pytest

from runtime import limits
from runtime.connect.client_config import PRODUCER

DEAD_BROKER = 9.0  # seconds until a controller replaces a dead broker: broker.session.timeout.ms
SOONEST_RETRY = 0.5  # seconds after which librdkafka repeats TxnOffsetCommit
DOCKERFILE = (Path(__file__).parents[2] / "dockerfile").read_text()


def seconds(pattern: str, text: str) -> float:
    """The number in a text."""
    (number,) = re.findall(pattern, text)
    return float(number)


ASCENDING = {
    "a missing broker is reported within 35 s": (limits.START_TIMEOUT, 35.0),
    "the commit has time after the flush": (limits.FLUSH_TIMEOUT, limits.COMMIT_TIMEOUT),
    "a commit outlives the replacement of a broker": (DEAD_BROKER, limits.COMMIT_TIMEOUT),
    "a static member's commit may take longer": (limits.COMMIT_TIMEOUT, limits.COMMIT_TIMEOUT_WITH_INSTANCE_ID),
    "a transaction ends before its worker's session": (limits.COMMIT_TIMEOUT, limits.SESSION_TIMEOUT),
    "after a failed flush, a new producer gets its id within a poll": (
        limits.FLUSH_TIMEOUT + limits.TOPIC_IDS_TIMEOUT + limits.START_TIMEOUT,
        limits.POLL_TIMEOUT,
    ),
    "a commit is retried within a poll": (limits.COMMIT_RETRY_TIMEOUT, limits.POLL_TIMEOUT),
    "idle connections close before the metadata are refreshed": (
        float(str(PRODUCER["connections.max.idle.ms"])) / 1000,
        limits.METADATA_REFRESH_AFTER,
    ),
    "a commit without retries keeps its producer": (limits.REQUEST_MAY_REPEAT_AFTER, SOONEST_RETRY),
    "EndTxn is not repeated before": (limits.REQUEST_MAY_REPEAT_AFTER, 0.8 * limits.RETRY_BACKOFF),
    "an iteration may wait for a broker": (
        limits.POLL_TIMEOUT + 3 * limits.COMMIT_RETRY_TIMEOUT,
        limits.LIVE_TIMEOUT,
    ),
    "a pipeline is not ready before it is not live": (limits.READY_TIMEOUT, limits.LIVE_TIMEOUT),
    "a silent broker is noticed before a stalled partition": (limits.BROKER_SILENT_AFTER, limits.STALLED_AFTER),
    "idle records are committed before the next wait": (limits.COMMIT_WHEN_IDLE, limits.IDLE_WAIT),
    "a failure's shutdown is shorter than a stop": (limits.FAILURE_TIMEOUT, limits.STOP_TIMEOUT),
    "the health check shows its reason": (
        limits.PROBE_TIMEOUT,
        seconds(r"--timeout=(\d+)s", DOCKERFILE),
    ),
}


@pytest.mark.parametrize(("less", "more"), ASCENDING.values(), ids=ASCENDING.keys())
def test_order(less: float, more: float) -> None:
    """One limit is shorter than the other."""
    assert less < more
