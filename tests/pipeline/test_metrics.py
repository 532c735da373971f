"""/metrics and /status.json of real runs, compared with what was sent and with what the broker says."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from runtime.observe.metrics import PREFIX
from tests.kafka import TIMEOUT, Kafka, Record
from tests.pipeline.test_health import ask
from tests.process import Pipelines, group_of
from tools.broker.ports import free_port
from tools.waiting import wait_until

LOGIN = b'{"device_type": "ios", "n": %d}'
MALFORMED = {"invalid_json": [b"{s3cret", b"[s3cret", b"s3cret"], "missing_device_type": [b'{"ip": "s3cret"}']}
SLOW = Path(__file__).parents[1] / "parity" / "run_pipeline.py"


def _families(port: int) -> Iterable[Metric]:
    return text_string_to_metric_families(ask(port, "/metrics").body)


def scrape(port: int) -> dict[str, float]:
    """The samples of a scrape without the prefix, by name and label values. There are none before the port is open."""
    samples = [sample for family in _families(port) for sample in family.samples]
    return {
        " ".join([one.name.removeprefix(PREFIX), *(value for _, value in sorted(one.labels.items()))]): one.value
        for one in samples
    }


def wait_for(port: int, expected: Mapping[str, float]) -> dict[str, float]:
    """Wait until a scrape has these samples, and return it."""
    found: dict[str, float] = {}

    def are_there() -> bool:
        found.clear()
        found.update(scrape(port))
        return all(found.get(name) == value for name, value in expected.items())

    try:
        wait_until(are_there, f"{expected}", 4 * TIMEOUT)  # the start takes most of that, if busy
    except AssertionError as error:
        raise AssertionError({name: found.get(name) for name in expected}) from error
    return found


def status(port: int) -> dict[str, Any]:
    """The members of /status.json."""
    members: dict[str, Any] = json.loads(ask(port, "/status.json").body)
    return members


def produce_with_marker(kafka: Kafka, topic: str, value: bytes) -> None:
    """Write a record in a transaction to each of two partitions: a marker is their last entry."""
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": topic})
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    for partition in (0, 1):
        producer.produce(topic, value, partition=partition)
    producer.commit_transaction(TIMEOUT)


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_known_records(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, guarantee: str) -> None:
    """A scrape has the records, bytes, reasons and checkpoints that were sent. Lag is 0 behind transaction markers.

    A second worker takes over a partition: it vanishes from the metrics of the first, and the rebalance is counted.
    """
    source, target = topics("in", 2), topics("out", 2)
    now = int(time.time() * 1000)
    values = [LOGIN % number for number in range(996)] + [value for few in MALFORMED.values() for value in few]
    sent = [Record(value=value, partition=number % 2, timestamp=now) for number, value in enumerate(values)]
    kafka.produce(source, sent)
    produce_with_marker(kafka, source, LOGIN % 1)
    port, other = free_port(), free_port()
    first = pipelines.start(source, target, HTTP_PORT=port, PROCESSING_GUARANTEE=guarantee)

    count = len(sent) + 2
    expected = {
        "records_in_total": count,
        "records_out_total": count,
        "bytes_in_total": sum(map(len, values)) + 2 * len(LOGIN % 1),
        **{f"malformed_records_total {reason}": len(few) for reason, few in MALFORMED.items()},
        "checkpoint_records_sum": count,
        "batch_records_sum": count,
        "latency_seconds_count": count,
        "checkpoint_failures_total": 0,
        "producers_replaced_total": 0,
        "rebalances_total": 1,
        "assigned_partitions": 2,
        "ready": 1,
        "producer_queue_records": 0,
        "producer_queue_bytes": 0,
        **{f"{name} {number} {source}": 0 for number in (0, 1) for name in ("lag_records", "lag_seconds")},
        **{f"stalled_seconds {number} {source}": 0 for number in (0, 1)},
    }
    found = wait_for(port, expected)
    written = kafka.read(target, count)
    assert found["bytes_out_total"] == sum(len(record.value or b"") for record in written)
    assert found["checkpoint_seconds_count"] == found["checkpoint_records_count"] >= 1
    assert found["checkpoint_seconds_sum"] > 0
    assert 0 < found["latency_seconds_sum"] / count < time.time() - now / 1000
    assert 0 < found["newest_record_age_seconds"] < time.time() - now / 1000

    members = status(port)
    assert (members["records_in"], members["records_out"], members["state"]) == (count, count, "running")
    assert {one["reason"]: one["count"] for one in members["malformed"]} == {k: len(v) for k, v in MALFORMED.items()}
    assert members["malformed"][0]["latest"].startswith(f"{source}[")  # the partitions' order is not fixed
    assert (members["malformed"][0]["reason"], members["malformed"][0]["count"]) == ("invalid_json", 3)
    assert {(one["partition"], one["lag_records"]) for one in members["partitions"]} == {(0, 0), (1, 0)}
    assert members["checkpoints"]["count"] == found["checkpoint_seconds_count"]
    assert (members["input"], members["output"], members["group"]) == (source, target, group_of(source))
    assert not any("s3cret" in ask(port, path).body for path in ("/metrics", "/status.json", "/"))

    second = pipelines.start(source, target, HTTP_PORT=other, PROCESSING_GUARANTEE=guarantee)
    numbers = set()
    for each in (port, other):
        found = wait_for(each, {"assigned_partitions": 1, "ready": 1})
        (name,) = (name for name in found if name.startswith("lag_records "))
        numbers.add(name.split()[1])
        assert found["rebalances_total"] == (2 if each == port else 1)
    assert numbers == {"0", "1"}
    assert [first.stop(), second.stop()] == [0, 0]


def test_expired_unread(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines) -> None:
    """Records that expired unread are counted for their partition."""
    source, target = topics("in"), topics("out")
    kafka.produce(source, [Record(value=LOGIN % number) for number in range(10)])
    kafka.commit(group_of(source), source, 2)
    kafka.delete_records(source, 7)
    port = free_port()
    pipeline = pipelines.start(source, target, HTTP_PORT=port)
    wait_for(port, {f"expired_records_total 0 {source}": 5, "records_out_total": 3, f"lag_records 0 {source}": 0})
    assert pipeline.stop() == 0


@pytest.mark.long
def test_lag(kafka: Kafka, topics: Callable[..., str], tmp_path: Path) -> None:
    """While 100,000 records behind, lag is within 1 s of what the broker's offsets and the records' timestamps say.

    The records' timestamps are 1 ms apart, and the pipeline handles at most one in 1 ms.
    """
    source, target = topics("in"), topics("out")
    begin = int(time.time() * 1000) - 3_600_000
    blocker = tmp_path / "slow"
    blocker.touch()
    send = partial(_send, kafka, source, begin)
    send(range(140_000))
    port = free_port()
    with Pipelines(kafka.address, tmp_path, SLOW) as pipelines:
        pipeline = pipelines.start(source, target, HTTP_PORT=port, SLOW_WHILE=blocker, COMMIT_INTERVAL=0.2)
        wait_until(lambda: scrape(port).get(f"lag_seconds 0 {source}", 0) > 3_000, "the first lag", 4 * TIMEOUT)
        wait_until(lambda: scrape(port)["records_out_total"] > 0, "the first commit")
        for number in range(10):
            if number == 5:
                send(range(140_000, 145_000))
                wait_until(partial(_knows_end, kafka, port, source, 145_000), "the new end, with the next fetch")
            end = kafka.end_offsets(source)[0]
            before = kafka.committed(group_of(source), source)[0]
            asked, found, now = time.time(), scrape(port), time.time()
            after = wait_until(partial(_committed_after, kafka, source, before), "the next commit")
            assert after < end - 100_000
            assert end - after - 1_000 <= found[f"lag_records 0 {source}"] <= end - before + 1_000
            age = found[f"lag_seconds 0 {source}"]
            assert asked - (begin + after) / 1000 - 1 <= age <= now - (begin + before) / 1000 + 1
        blocker.unlink()
        wait_for(port, {f"lag_records 0 {source}": 0, f"lag_seconds 0 {source}": 0, "records_out_total": 145_000})
        assert pipeline.stop() == 0


def _knows_end(kafka: Kafka, port: int, topic: str, end: int) -> bool:
    """Whether the lag counts the records up to this offset."""
    handled = kafka.committed(group_of(topic), topic)[0]
    return bool(status(port)["partitions"][0]["lag_records"] > end - handled - 2_000)


def _committed_after(kafka: Kafka, topic: str, offset: int) -> int:
    """The group's offset if it is beyond this one, otherwise 0."""
    committed = kafka.committed(group_of(topic), topic)[0]
    return committed if committed > offset else 0


def _send(kafka: Kafka, topic: str, begin: int, numbers: range) -> None:
    kafka.produce(topic, (Record(value=LOGIN % number, timestamp=begin + number) for number in numbers))
