"""Runs with OpenTelemetry's automatic instrumentation, and the headers that carry a trace."""

from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.instrumentation import auto_instrumentation

from runtime.observe.tracing import INSTRUMENTATION_REMOVED_TEXT
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipelines

TRACE: list[tuple[str, bytes | None]] = [
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", b"congo=t61rcWkgMzE"),
]
INSTRUMENTED = {
    "PYTHONPATH": Path(auto_instrumentation.__file__).parent,  # as opentelemetry-instrument and the operator do
    **{f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
}
"""The environment of an instrumented process."""


@pytest.mark.parametrize("is_instrumented", [False, True])
def test_headers(kafka: Kafka, topics: Callable[..., str], pipelines: Pipelines, *, is_instrumented: bool) -> None:
    """A trace's headers pass through untouched, and no others are added, also with the instrumentation.

    A log line says that the client's instrumentation was removed; there is none without it.
    """
    source, target = topics("in"), topics("out")
    sent = [
        Record(value=b'{"device_type": "ios"}', headers=TRACE),
        Record(value=b'{"device_type": "ios"}'),
        Record(value=b"{", headers=[*TRACE, ("x", None)]),
    ]
    kafka.produce(source, sent)
    pipeline = pipelines.start(source, target, **(INSTRUMENTED if is_instrumented else {}))
    written = kafka.read(target, len(sent))
    assert written == [expected(record) for record in sent]
    assert [record.headers[:2] for record in written] == [TRACE, [], TRACE]
    assert pipeline.stop() == 0
    assert (INSTRUMENTATION_REMOVED_TEXT in pipeline.log) is is_instrumented
