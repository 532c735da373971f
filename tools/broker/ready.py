"""Checks whether a broker that was just started is ready for clients."""

import logging
import socket
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from runtime.connect.destroy import destroy

_SILENT = logging.getLogger(__name__)
_SILENT.propagate = False  # errors are expected while the broker starts
_SILENT.addHandler(logging.NullHandler())
_NAME = "broker-probe"
_PATIENCE = 0.2  # seconds for one answer: a new client is faster than one that waits to retry


class Probe:
    """Asks one broker whether all its topics, groups and transactions can be used."""

    def __init__(self, host: str, port: int, cluster: str) -> None:
        self._address = (host, port)
        self._cluster = cluster
        self._client = {"bootstrap.servers": f"{host}:{port}", "log_level": 0}
        self._clients: list[Any] = []
        self._left = [self._listens, self._leads, self._transacts, self._groups]

    def ready(self) -> bool:
        """Whether everything can be used. What was ready once is not asked again."""
        while self._left:
            try:
                if not self._left[0]():
                    return False
            except (OSError, KafkaException):
                return False
            finally:
                destroy(self._clients)
                self._clients = []
            self._left.pop(0)
        return True

    def _listens(self) -> bool:
        socket.create_connection(self._address, timeout=1.0).close()
        return True

    def _leads(self) -> bool:
        """Whether it is the right cluster, and each partition has a leader."""
        metadata = self._admin().list_topics(timeout=1.0)
        partitions = [partition for topic in metadata.topics.values() for partition in topic.partitions.values()]
        here = metadata.cluster_id == self._cluster and metadata.brokers
        return bool(here) and all(partition.leader >= 0 for partition in partitions)

    def _transacts(self) -> bool:
        self._clients.append(Producer({**self._client, "transactional.id": _NAME}, logger=_SILENT))
        self._clients[-1].init_transactions(_PATIENCE)
        return True

    def _groups(self) -> bool:
        self._admin().describe_consumer_groups([_NAME], request_timeout=1.0)[_NAME].result(_PATIENCE)
        return True

    def _admin(self) -> AdminClient:
        self._clients.append(AdminClient(self._client, logger=_SILENT))
        return self._clients[-1]
