"""A slow commit: late requests of it are refused, and so is the commit if another producer takes its transactional id.

tests/faults/test_transactions.py delivers such requests.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Producer

from faults.proxy import NORMAL, NetworkConditions, Proxy
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipelines, group_of
from tools.broker.cluster import Cluster
from tools.broker.ports import HOST, choose_ports

pytestmark = pytest.mark.long

SLOW = NetworkConditions(delay=0.5)
"""Each request takes 1 s, and a commit has three."""

_BATCH = struct.Struct(">qiibIhiqqqh")  # up to the producer's epoch


@dataclass
class Slow:
    """A pipeline whose broker answers at the proxy's pace; `kafka` does not go through the proxy."""

    kafka: Kafka
    proxy: Proxy
    cluster: Cluster
    pipelines: Pipelines
    source: str
    target: str


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    """A broker behind a proxy, and two topics."""
    ports = choose_ports(None)  # one for the broker's own listener, one for the proxy in front of it
    with (
        Proxy(ports.clients, ports.internal, 1) as proxy,
        Cluster(1, proxied_listeners=[(ports.internal, ports.clients)]) as cluster,
        Pipelines(f"{HOST}:{ports.clients}", tmp_path) as pipelines,
    ):
        kafka = Kafka(cluster.address)
        yield Slow(kafka, proxy, cluster, pipelines, *(kafka.create_topic(name) for name in ("in", "out")))


def record(number: int) -> Record:
    """A login."""
    return Record(b"k", b'{"device_type": "ios", "n": %d}' % number)


def test_epochs(slow: Slow) -> None:
    """The transaction after a slow commit has a higher producer epoch, and every record is written once."""
    pipeline = slow.pipelines.start(slow.source, slow.target)
    pipeline.wait_for(RUNNING)
    sent: list[Record] = []
    for conditions in (NORMAL, SLOW, NORMAL):
        slow.proxy.conditions = conditions
        sent.append(record(len(sent)))
        slow.kafka.produce(slow.source, sent[-1:])
        slow.kafka.read(slow.target, len(sent))
    assert pipeline.stop() == 0
    assert slow.kafka.read(slow.target, 0) == list(map(expected, sent))
    folder = slow.cluster.nodes[0].folder / "data" / f"{slow.target}-0"
    (first, second, third) = epochs(folder)
    assert first <= second < third
    assert f"stopped: {len(sent)} in, {len(sent)} out" in pipeline.lines[-1]


def test_transactional_id_taken(slow: Slow) -> None:
    """If another producer takes the transactional id during a commit, a restart helps (70), and no record is lost."""
    first = slow.pipelines.start(slow.source, slow.target, INSTANCE_ID="one")
    first.wait_for(RUNNING)
    slow.proxy.conditions = SLOW
    slow.kafka.produce(slow.source, [record(0)])
    slow.kafka.read(slow.target, 1, isolation="read_uncommitted")
    name = f"{group_of(slow.source)}:one"
    Producer({"bootstrap.servers": slow.kafka.address, "transactional.id": name}).init_transactions()
    slow.proxy.conditions = NORMAL
    assert first.wait() == 70
    replace = {r"\(Failed to .*\)$": "(...)"}
    check_row("While running", "another producer has the worker's transactional id", 70, first.lines[-1], replace)
    second = slow.pipelines.start(slow.source, slow.target, INSTANCE_ID="one")
    assert slow.kafka.read(slow.target, 1) == [expected(record(0))]
    assert second.stop() == 0


def epochs(folder: Path) -> Iterator[int]:
    """The producer epoch of each batch of records, as a partition's log has it."""
    log, at = b"".join(file.read_bytes() for file in sorted(folder.glob("*.log"))), 0
    while at + _BATCH.size <= len(log):
        _, length, _, _, _, attributes, *_, epoch = _BATCH.unpack_from(log, at)
        if not attributes & 0x20:  # no transaction's marker
            yield epoch
        at += 12 + length
