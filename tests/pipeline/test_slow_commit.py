"""A commit that is slow or too slow, and one during which another producer takes the transactional id.

tests/faults/test_transactions.py delivers late requests of a slow commit.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Producer

from faults.proxy import NORMAL, NetworkConditions
from faults.wire import ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT
from tests.brokers import STEADY
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.pipeline.test_metrics import scrape
from tests.process import RUNNING, Pipelines, group_of
from tests.tampering import TamperingProxy
from tools.broker.cluster import Cluster
from tools.broker.ports import HOST, choose_ports, free_port
from tools.waiting import wait_until

pytestmark = pytest.mark.long

SLOW = NetworkConditions(delay=0.5)
"""Each request takes 1 s, and a commit has three."""

SCRIPT = Path(__file__).with_name("run_limits.py")
SHORT = "COMMIT_TIMEOUT=4 SESSION_TIMEOUT=40"
SLOWER = NetworkConditions(delay=0.85)
"""The broker ends the transaction after 5 s. The record has arrived before, and the commit comes 1.8 s later."""
PROPERTIES = {**STEADY, "transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}

_BATCH = struct.Struct(">qiibIhiqqqh")  # up to the producer's epoch


@dataclass
class ProxiedBroker:
    """A broker that answers pipelines at the proxy's pace. `kafka` does not go through the proxy."""

    kafka: Kafka
    proxy: TamperingProxy
    cluster: Cluster
    pipelines: Pipelines
    source: str
    target: str


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ProxiedBroker]:
    """A broker behind a proxy, and two topics."""
    ports = choose_ports(None)  # one for the broker's own listener, one for the proxy in front of it
    with (
        TamperingProxy(ports.clients, ports.internal) as proxy,
        Cluster(1, PROPERTIES, [(ports.internal, ports.clients)]) as cluster,
        Pipelines(f"{HOST}:{ports.clients}", tmp_path, SCRIPT) as pipelines,
    ):
        kafka = Kafka(cluster.address)
        yield ProxiedBroker(kafka, proxy, cluster, pipelines, *(kafka.create_topic(name) for name in ("in", "out")))


def record(number: int) -> Record:
    """A login."""
    return Record(b"k", b'{"device_type": "ios", "n": %d}' % number)


def test_epochs(broker: ProxiedBroker) -> None:
    """The transaction after a slow commit has a higher producer epoch, and every record is written once.

    /metrics counts the producer that was replaced.
    """
    port = free_port()
    pipeline = broker.pipelines.start(broker.source, broker.target, HTTP_PORT=port, LIMITS="")
    pipeline.wait_for(RUNNING)
    sent: list[Record] = []
    for conditions in (NORMAL, SLOW, NORMAL):
        broker.proxy.conditions = conditions
        sent.append(record(len(sent)))
        broker.kafka.produce(broker.source, sent[-1:])
        broker.kafka.read(broker.target, len(sent))
    assert scrape(port)["producers_replaced_total"] >= 1
    assert pipeline.stop() == 0
    assert broker.kafka.read(broker.target, 0) == list(map(expected, sent))
    folder = broker.cluster.nodes[0].folder / "data" / f"{broker.target}-0"
    (first, second, third) = epochs(folder)
    assert first <= second < third
    assert f"stopped: {len(sent)} in, {len(sent)} out" in pipeline.lines[-1]


@pytest.mark.parametrize(
    ("broken", "key"),
    [("refused", ADD_OFFSETS), ("refused", TXN_OFFSET_COMMIT), ("refused", END_TXN), ("unanswered", END_TXN)],
)
def test_transactional_id_taken(broker: ProxiedBroker, broken: str, key: int) -> None:
    """If another producer takes the transactional id during any request of a commit, the worker takes it back.

    Each record is written once, even if the broker has carried out the commit and its answer was lost.
    """
    pipeline = broker.pipelines.start(broker.source, broker.target, INSTANCE_ID="one", LIMITS="")
    pipeline.wait_for(RUNNING)
    setattr(broker.proxy, broken, key)
    broker.kafka.produce(broker.source, [record(0)])
    wait_until(lambda: broker.proxy.broken > 0, "the request")
    name = f"{group_of(broker.source)}:one"
    Producer({"bootstrap.servers": broker.kafka.address, "transactional.id": name}).init_transactions()
    setattr(broker.proxy, broken, None)
    pipeline.wait_for("with a new producer")
    broker.kafka.produce(broker.source, [record(1)])
    broker.kafka.read(broker.target, 2)
    assert pipeline.stop() == 0
    assert broker.kafka.read(broker.target, 0) == list(map(expected, [record(0), record(1)]))
    assert "stopped: 2 in, 2 out" in pipeline.lines[-1]
    assert ("had carried out the commit" in pipeline.log) is (broken == "unanswered")
    if key == END_TXN:
        (line,) = (line for line in pipeline.lines if "with a new producer" in line)
        check_row("While running", "another producer has taken the worker's transactional id", None, line)


@pytest.mark.parametrize("no_progress_timeout", [60, 0])
def test_too_long(broker: ProxiedBroker, no_progress_timeout: int) -> None:
    """A commit that takes too long is repeated. If none succeeds, the line says so and blames no other worker (70).

    A restart then helps.
    """
    limit = f"{SHORT} NO_PROGRESS_TIMEOUT={no_progress_timeout}"
    first = broker.pipelines.start(broker.source, broker.target, LIMITS=limit)
    first.wait_for(RUNNING)
    broker.proxy.conditions = SLOWER
    broker.kafka.produce(broker.source, [record(0)])
    wait_until(lambda: broker.kafka.end_offsets(broker.target)[0] >= 2, "the record, and the end of its transaction")
    broker.proxy.conditions = NORMAL
    if no_progress_timeout:
        first.wait_for("retrying the last 1 records, with a new producer")
        assert broker.kafka.read(broker.target, 1) == [expected(record(0))]
        assert first.stop() == 0
        return
    assert first.wait() == 70
    assert "Traceback" not in first.log
    replace = {r"\(Failed to .*\)$": "(...)", r"COMMIT_INTERVAL \+ 4 s": "COMMIT_INTERVAL + 14 s"}
    check_row(
        "While running", "each commit takes longer than transaction.timeout.ms, for 60 s", 70, first.lines[-1], replace
    )
    second = broker.pipelines.start(broker.source, broker.target, LIMITS="")
    assert broker.kafka.read(broker.target, 1) == [expected(record(0))]
    assert second.stop() == 0


def epochs(folder: Path) -> Iterator[int]:
    """The producer epoch of each batch of records, as a partition's log has it."""
    log, at = b"".join(file.read_bytes() for file in sorted(folder.glob("*.log"))), 0
    while at + _BATCH.size <= len(log):
        _, length, _, _, _, attributes, *_, epoch = _BATCH.unpack_from(log, at)
        if not attributes & 0x20:  # no transaction's marker
            yield epoch
        at += 12 + length
