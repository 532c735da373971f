"""A slow commit: the next transaction has a new producer, so the broker refuses late requests.

tests/faults/test_transactions.py delivers such requests.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.proxy import NORMAL, NetworkConditions, Proxy
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines
from tools.broker.cluster import Cluster
from tools.broker.ports import HOST, choose_ports

pytestmark = pytest.mark.long

SLOW = NetworkConditions(delay=0.2)
"""Each request takes 0.4 s, and a commit has three."""

_BATCH = struct.Struct(">qiibIhiqqqh")  # up to the producer's epoch


def test_epochs(tmp_path: Path) -> None:
    """The transaction after a slow commit has a higher producer epoch, and every record is written once."""
    ports = choose_ports(None)  # one for the broker's own listener, one for the proxy in front of it
    address = f"{HOST}:{ports.clients}"
    with (
        Proxy(ports.clients, ports.internal, 1) as proxy,
        Cluster(1, proxied_listeners=[(ports.internal, ports.clients)]) as cluster,
        Pipelines(address, tmp_path) as pipelines,
    ):
        kafka = Kafka(cluster.address)
        source, target = (kafka.create_topic(name) for name in ("in", "out"))
        pipeline = pipelines.start(source, target)
        pipeline.wait_for(RUNNING)
        sent: list[Record] = []
        for conditions in (NORMAL, SLOW, NORMAL):
            proxy.conditions = conditions
            sent.append(Record(b"k", b'{"device_type": "ios", "n": %d}' % len(sent)))
            kafka.produce(source, sent[-1:])
            kafka.read(target, len(sent))
        assert pipeline.stop() == 0
        assert kafka.read(target, 0) == [expected(record) for record in sent]
        folder = cluster.nodes[0].folder / "data" / f"{target}-0"
        (first, slow, after) = epochs(folder)
    assert first <= slow < after
    assert f"stopped: {len(sent)} in, {len(sent)} out" in pipeline.lines[-1]


def epochs(folder: Path) -> Iterator[int]:
    """The producer epoch of each batch of records, as a partition's log has it."""
    log, at = b"".join(file.read_bytes() for file in sorted(folder.glob("*.log"))), 0
    while at + _BATCH.size <= len(log):
        _, length, _, _, _, attributes, *_, epoch = _BATCH.unpack_from(log, at)
        if not attributes & 0x20:  # no transaction's marker
            yield epoch
        at += 12 + length
