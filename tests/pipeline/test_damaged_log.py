"""A partition whose data are damaged on the broker's disk."""

import struct
from pathlib import Path

import pytest

from tests.brokers import STEADY
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.process import Pipelines
from tools.broker.embedded import Broker

pytestmark = pytest.mark.long

_HEADER = struct.Struct(">qi")  # a batch's offset, and the length of the rest of it
SENT = [Record(value=b'{"device_type": "ios", "n": %d}' % number) for number in range(3)]


def test_damaged(tmp_path: Path) -> None:
    """The pipeline and `verify` end (70) with one line, which names the place."""
    with Broker(properties=STEADY) as broker, Pipelines(broker.address, tmp_path) as pipelines:
        kafka = Kafka(broker.address)
        source, target = kafka.create_topic("in"), kafka.create_topic("out")
        for record in SENT:  # a batch each
            kafka.produce(source, [record])
        damage_second_batch(next((broker.folder / "data" / f"{source}-0").glob("*.log")))
        pipeline, verify = pipelines.start(source, target), pipelines.start(source, target, "verify")
        for each in (pipeline, verify):
            assert each.wait() == 70, each.log
            assert "Traceback" not in each.log
        check_row("While running", "a batch of the input is damaged on the broker's disk", 70, pipeline.lines[-1])
        check_row("Tools", "verify: a batch of the input is damaged on the broker's disk", 70, verify.lines[-1])


def damage_second_batch(log: Path) -> None:
    """Make the second batch of a partition so short that the broker refuses to read it."""
    with log.open("r+b") as file:
        _, length = _HEADER.unpack(file.read(_HEADER.size))
        file.seek(_HEADER.size + length)
        offset, _ = _HEADER.unpack(file.read(_HEADER.size))
        file.seek(_HEADER.size + length)
        file.write(_HEADER.pack(offset, 0))
