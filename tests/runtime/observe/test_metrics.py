"""The metrics: names, values and labels."""

import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runtime import __version__
from runtime.observe.counters import Share
from runtime.observe.metrics import METRICS, PREFIX, new_registry
from runtime.observe.status import Status
from transforms import Reason


@pytest.fixture
def status() -> Status:
    """The state of a worker that has done nothing yet."""
    return Status({"input": "in"}, {"COMMIT_EVERY": 10, "BROKER_SASL_PASSWORD": "***"})


def samples(status: Status) -> dict[str, float]:
    """The samples of a scrape, by name and labels."""
    text = generate_latest(new_registry(status)).decode()
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_scrape(status: Status) -> None:
    """A scrape gives what was counted. What is in counts at once, what is out or malformed when it is committed."""
    totals = status.totals
    totals.handle({("in", 0): Share(5, 1_700_000_000_000, 1_700_000_001_000, 5)}, 100)
    totals.sent = lambda: 120
    totals.count(Reason.INVALID_JSON, "in", 0, 3)
    totals.commit(0.02)
    totals.handle({("in", 0): Share(2, 1_700_000_000_000, 1_700_000_001_000, 7)}, 50)
    totals.count(Reason.NULL_VALUE, "in", 0, 6)
    totals.expired["in", 1] += 9
    totals.rebalances += 1
    status.queue.records, status.queue.bytes = 3, 70

    expected = {
        "records_in_total": 7,
        "records_out_total": 5,
        "bytes_in_total": 150,
        "bytes_out_total": 120,
        "malformed_records_total invalid_json": 1,
        "malformed_records_total null_value": 0,  # a counter begins at 0, for `increase`
        "latency_seconds_count": 5,
        "latency_seconds_bucket +Inf": 5,
        "latency_seconds_bucket 7200.0": 0,
        "checkpoint_records_sum": 5,
        "checkpoint_records_bucket 1.0": 0,
        "checkpoint_records_bucket 10.0": 1,
        "checkpoint_seconds_sum": 0.02,
        "checkpoint_failures_total": 0,
        "producers_replaced_total": 0,
        "rebalances_total": 1,
        "batch_records_sum": 7,
        "batch_records_count": 2,
        "assigned_partitions": 0,
        "ready": 0,
        "producer_queue_records": 3,
        "producer_queue_bytes": 70,
        "expired_records_total 1 in": 9,
        "setting_info COMMIT_EVERY 10": 1,
        "setting_info BROKER_SASL_PASSWORD ***": 1,
    }
    found = samples(status)
    assert {name: found.get(PREFIX + name) for name in expected} == expected
    assert found[PREFIX + "newest_record_age_seconds"] > 0
    assert any(name.startswith(f"{PREFIX}build_info ") and f" {__version__}" in name for name in found)
    assert {"process_cpu_seconds_total", "process_start_time_seconds"} <= found.keys()
    assert any(name.startswith("python_info ") for name in found)


def test_not_known(status: Status) -> None:
    """What is not known yet is absent."""
    found = samples(status)
    assert not any("newest_record_age" in name or "lag_" in name for name in found)
    assert found[PREFIX + "records_in_total"] == 0


def test_names() -> None:
    """Names follow Prometheus' conventions: lower case, base units, and _total for counters alone."""
    for name, described in METRICS.items():
        assert re.fullmatch(r"[a-z_]+", name)
        assert name.endswith("_total") == (described.kind == "counter")
        assert not re.search("milli|micro|minutes|kilo|mega", name)
        assert described.help.endswith(".")
