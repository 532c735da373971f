"""The removal of OpenTelemetry's instrumentation. The test with a real run is in tests/pipeline/test_tracing.py."""

import subprocess
import sys
from pathlib import Path

import pytest

LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")
SHOW = "import {}; import confluent_kafka as c; print(c.Producer.__module__, c.Consumer.__module__)"


@pytest.mark.parametrize(
    ("launcher", "first", "module"),
    [
        ([LAUNCHER], "sys", "opentelemetry.instrumentation.confluent_kafka"),
        ([LAUNCHER], "runtime", "cimpl"),
        ([], "runtime", "cimpl"),
    ],
)
def test_classes(launcher: list[Path], first: str, module: str) -> None:
    """Importing `runtime` gives the Kafka client its own classes back."""
    run = subprocess.run(
        [*launcher, sys.executable, "-c", SHOW.format(first)],
        cwd=Path(__file__).parents[3],
        env={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [module, module]
