"""The metrics of /metrics: each has its name, its type, its labels and the function that reads it."""

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from runtime import __version__
from runtime.observe.distribution import Distribution
from runtime.observe.status import Status
from transforms import Reason

PREFIX = "login_pipeline_"

_Samples = Iterable[tuple[tuple[str, ...], float]]


class Described(NamedTuple):
    """One metric."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    value: Callable[[Status], float | Distribution | _Samples | None]
    """Reads it: a number, a distribution, numbers by the values of the labels, or None if it is not known."""
    labels: tuple[str, ...] = ()


def _by_partition(name: str) -> Callable[[Status], _Samples]:
    return lambda status: [
        ((state.topic, str(state.partition)), getattr(state, name)) for state in status.progress.partitions()
    ]


def _by_reason(status: Status) -> _Samples:
    """All reasons, also without a record: `increase` of Prometheus needs the 0 before the first one."""
    found = {reason: one.count for reason, one in status.totals.malformed_by_reason()}
    return [((f"{reason}",), found.get(reason, 0)) for reason in Reason]


_PARTITION = ("topic", "partition")
METRICS = {
    "records_in_total": Described(
        "counter",
        "Records handled; those of an aborted transaction count once.",
        lambda status: status.totals.records.total,
    ),
    "records_out_total": Described(
        "counter", "Records whose output is committed.", lambda status: status.totals.records.committed
    ),
    "bytes_in_total": Described(
        "counter", "Bytes of the values of the records in.", lambda status: status.totals.bytes_in.total
    ),
    "bytes_out_total": Described(
        "counter", "Bytes of the values of the records out.", lambda status: status.totals.bytes_out
    ),
    "malformed_records_total": Described(
        "counter",
        "Malformed records in the committed output, by reason (docs/records.md).",
        _by_reason,
        ("reason",),
    ),
    "dead_letters_total": Described(
        "counter",
        "Dead letters that are committed; absent without a dead-letter topic.",
        lambda status: status.totals.dead_letters.committed if status.has_dead_letters else None,
    ),
    "lag_records": Described(
        "gauge",
        "Records that wait or are not handled yet; 0 if all are, even if a transaction's marker is the last entry.",
        _by_partition("lag_records"),
        _PARTITION,
    ),
    "lag_seconds": Described(
        "gauge",
        "Seconds since the timestamp of the last handled record, if others wait; otherwise 0.",
        _by_partition("lag_seconds"),
        _PARTITION,
    ),
    "newest_record_age_seconds": Described(
        "gauge",
        "Seconds since the newest timestamp of the last batch; absent before the first record.",
        lambda status: status.totals.newest_age(),
    ),
    "latency_seconds": Described(
        "histogram",
        "Seconds from a record's timestamp to its commit; in each batch, a partition's first record represents all.",
        lambda status: status.totals.latency,
    ),
    "checkpoint_records": Described(
        "histogram", "Records of each checkpoint.", lambda status: status.totals.checkpoint_records
    ),
    "checkpoint_seconds": Described(
        "histogram",
        "Seconds that each checkpoint took: delivery of the records, and commit.",
        lambda status: status.totals.checkpoint_seconds,
    ),
    "checkpoint_failures_total": Described(
        "counter",
        "Checkpoints that failed; their records were processed again.",
        lambda status: status.totals.checkpoint_failures,
    ),
    "producers_replaced_total": Described(
        "counter",
        "Producers that were replaced after an error or a slow commit.",
        lambda status: status.totals.producers_replaced,
    ),
    "rebalances_total": Described(
        "counter",
        "Assignments of partitions to this worker, the first one included.",
        lambda status: status.totals.rebalances,
    ),
    "batch_records": Described("histogram", "Records of each batch.", lambda status: status.totals.batch_records),
    "assigned_partitions": Described(
        "gauge", "Partitions of this worker.", lambda status: len(status.progress.positions())
    ),
    "stalled_seconds": Described(
        "gauge",
        "Seconds without progress although records wait, or the partition cannot be read; otherwise 0.",
        _by_partition("stalled_seconds"),
        _PARTITION,
    ),
    "ready": Described("gauge", "1 if /ready answers 200, otherwise 0.", lambda status: not status.health.ready()),
    "producer_queue_records": Described(
        "gauge",
        "Records that the producer holds and the broker has not acknowledged, up to a second ago.",
        lambda status: status.queue.records,
    ),
    "producer_queue_bytes": Described(
        "gauge", "Bytes of the values and keys of these records.", lambda status: status.queue.bytes
    ),
    "expired_records_total": Described(
        "counter",
        "Records that expired before they were read.",
        lambda status: [
            ((topic, str(number)), count) for (topic, number), count in list(status.totals.expired.items())
        ],
        _PARTITION,
    ),
    "build_info": Described(
        "gauge",
        "The versions of the pipeline and of its libraries; the value is 1.",
        lambda status: [((__version__, *status.versions.values()), 1)],
        ("version", "quixstreams", "librdkafka", "openssl"),
    ),
    "setting_info": Described(
        "gauge",
        "The settings in force, secrets masked; the value is 1.",
        lambda status: [((name, value), 1) for name, value in status.settings.items()],
        ("name", "value"),
    ),
}


class PipelineCollector(Collector):
    """Reads all metrics at each scrape."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Give the metrics with their current values."""
        for name, described in METRICS.items():
            yield _family(PREFIX + name, described, described.value(self._status))


def _family(name: str, described: Described, value: float | Distribution | _Samples | None) -> Metric:
    if isinstance(value, Distribution):
        buckets = [("+Inf" if math.isinf(bound) else str(float(bound)), count) for bound, count in value.cumulative()]
        return HistogramMetricFamily(name, described.help, buckets, value.sum)
    kind = CounterMetricFamily if described.kind == "counter" else GaugeMetricFamily
    family = kind(name, described.help, labels=described.labels)
    samples = [((), value)] if isinstance(value, int | float) else value or ()
    for labels, number in samples:
        family.add_metric(labels, number)
    return family


def new_registry(status: Status) -> CollectorRegistry:
    """Make a registry with all metrics, and those of the process and of Python."""
    registry = CollectorRegistry()
    registry.register(PipelineCollector(status))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
