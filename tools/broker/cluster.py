"""Runs several nodes of Apache Kafka as one cluster. Each node can be killed, paused and restarted.

with Cluster(3) as cluster:
    cluster.leader("user-login", 0).kill()
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import zip_longest
from typing import Self

from confluent_kafka.admin import AdminClient

from tools.broker.embedded import Broker
from tools.broker.files import BrokerError
from tools.broker.node import QUICK_START, Member, new_cluster_id
from tools.broker.ports import HOST, Ports, choose_ports

GROUPS, TRANSACTIONS = "__consumer_offsets", "__transaction_state"
"""The topics whose leaders are the coordinators. Each has one partition here, so one node coordinates all."""

_ANSWER_WITHIN = 10.0  # seconds
_PROPERTIES = {
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "controlled.shutdown.enable": "true",
}


class Cluster:
    """One node, or several: topics have a replica on each (at most three), of which all except one must be in sync.

    Leaving the `with` block stops all nodes and removes their folders.

    Args:
        size: how many nodes.
        properties: Kafka's own settings, over those that suit a small cluster.
        proxied_listeners: for each node, the port on which it also listens, and the port that it advertises for that.
        jvm: each node's options.
    """

    def __init__(
        self,
        size: int = 3,
        properties: Mapping[str, str] | None = None,
        proxied_listeners: Sequence[tuple[int, int]] = (),
        jvm: Sequence[str] = QUICK_START,
    ) -> None:
        ports = [choose_ports(None) for _ in range(size)]
        voters = ",".join(f"{number}@{HOST}:{port.controller}" for number, port in enumerate(ports, 1))
        replicas = min(size, 3)
        cluster = new_cluster_id()
        common = {
            **_PROPERTIES,
            "controller.quorum.voters": voters,
            "default.replication.factor": str(replicas),
            "min.insync.replicas": str(max(1, replicas - 1)),
            "offsets.topic.replication.factor": str(replicas),
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": str(max(1, replicas - 1)),
            **(properties or {}),
        }
        self.nodes: list[Broker] = []
        for number, (port, proxied) in enumerate(zip_longest(ports, proxied_listeners), 1):
            own = _proxied(port, *proxied) if proxied else {}
            settings = {**common, **own, "node.id": str(number)}
            self.nodes.append(Broker(properties=settings, jvm=jvm, member=Member(port, cluster)))
        self.address = ",".join(f"{HOST}:{port.clients}" for port in ports)

    def start(self) -> None:
        """Start all nodes that do not run, and return when the cluster can be used.

        Raises:
            BrokerError: one did not start; with the end of its log.
        """
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(lambda node: node.running or node.start(), self.nodes))

    def kill(self) -> None:
        """Kill all nodes with SIGKILL. The data stay."""
        for node in self.nodes:
            node.kill()

    def leader(self, topic: str, partition: int = 0) -> Broker:
        """Return the leader of a partition. For GROUPS or TRANSACTIONS, it is the coordinator.

        Raises:
            BrokerError: the partition has no leader now.
        """
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        found = admin.list_topics(topic, timeout=_ANSWER_WITHIN).topics[topic].partitions
        number = int(found[partition].leader) if partition in found else 0
        if number < 1:
            raise BrokerError(f"partition {partition} of {topic} has no leader")
        return self.nodes[number - 1]

    def close(self) -> None:
        """Stop all nodes and remove their folders."""
        with ExitStack() as stack:  # a failure does not prevent the others
            for node in self.nodes:
                stack.callback(node.close)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _proxied(ports: Ports, listens: int, advertised: int) -> dict[str, str]:
    def at(**found: int) -> str:
        return ",".join(f"{name}://{HOST}:{port}" for name, port in found.items())

    usual = {"CLIENTS": ports.clients, "INTERNAL": ports.internal}
    names = (*usual, "CONTROLLER", "PROXIED")
    return {
        "listeners": at(PROXIED=listens),
        "advertised.listeners": at(**usual, PROXIED=advertised),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
    }
