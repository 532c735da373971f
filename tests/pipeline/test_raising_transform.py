"""A transform that raises, in a running pipeline."""

from pathlib import Path

import pytest

from tests.kafka import Kafka, Record
from tests.process import Pipelines
from transforms import original

VALUES = [b'{"device_type":"ios"}', b'{"device_type":"ios","ip":"7"}', b'{"ip":"canary","device_type":"ios"}', b"{}"]
DETAILS = ["the transform check_ip raised KeyError", None, "the transform check_ip raised ValueError", None]


@pytest.fixture(scope="module")
def script() -> Path:
    """The script that `pipelines` starts here."""
    return Path(__file__).parent / "run_raising.py"


def test_tagged(kafka: Kafka, pipelines: Pipelines) -> None:
    """The pipeline tags the record and continues. The log has the stack trace, but no value."""
    source, target = (kafka.create_topic(f"raising-{end}") for end in ("in", "out"))
    kafka.produce(source, [Record(b"k", value, [], 1_700_000_000_000) for value in VALUES])
    pipeline = pipelines.start(source, target, LOG_LEVEL="DEBUG")
    found = kafka.read(target, len(VALUES))
    assert pipeline.stop() == 0

    tags = [dict(record.headers).get("malformed") for record in found]
    assert tags == [b"transform_failed", None, b"transform_failed", b"missing_device_type"]
    for value, record, detail in zip(VALUES, found, DETAILS, strict=True):
        if detail is not None:
            assert original(record.value) == value
            assert detail.encode() in (record.value or b"")
            assert detail in pipeline.log
    assert 'int(json.loads(value)["ip"])' in pipeline.log
    assert "canary" not in pipeline.log
