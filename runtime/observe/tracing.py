"""Removes OpenTelemetry's automatic instrumentation of the Kafka client, which makes the pipeline ten times slower.

It runs Python code and makes a span for each record. `opentelemetry-instrument`, which the OpenTelemetry operator also
uses, applies it before any other code: it replaces the client's classes.
"""

import sys

_MODULE = "opentelemetry.instrumentation.confluent_kafka"

INSTRUMENTATION_REMOVED_TEXT = (
    "the Kafka client's OpenTelemetry instrumentation is removed: it costs most of the throughput"
)
"""The log line."""


def remove_client_instrumentation() -> bool:
    """Give confluent_kafka its own classes back if they were replaced, and return whether they were.

    It has no effect on classes that other modules have imported already.
    """
    if _MODULE not in sys.modules:
        return False
    instrumentor = sys.modules[_MODULE].ConfluentKafkaInstrumentor()
    was_instrumented = bool(instrumentor.is_instrumented_by_opentelemetry)
    if was_instrumented:
        instrumentor.uninstrument()
    return was_instrumented
