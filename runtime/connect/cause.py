"""Finds the cause of an error that stops the pipeline, by asking the broker."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from loguru import logger
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.connect.client_config import CLIENT_ID
from runtime.errors import Misconfigured, Refused, Replaced, Unavailable
from runtime.explain import explain


class Cause:
    """Finds the cause of an error that librdkafka reports without it.

    Args:
        connection: address and credentials.
        group: the consumer group.
        instance_id: this worker's INSTANCE_ID, if it has one.
        cloud: whether Quix Cloud supplied the connection.
    """

    def __init__(self, connection: ConnectionConfig, group: str, instance_id: str | None, *, cloud: bool) -> None:
        self._connection = connection
        self._group = group
        self._instance_id = instance_id
        self._cloud = cloud
        self._clients: list[object] = []  # never destroyed: librdkafka may hang there, and the process ends

    def find(self, error: Exception) -> Exception:
        """Give the error to report.

        For a lost connection, that may be the broker's refusal: it closes a connection if the credentials have changed.
        If this worker was replaced, it names the worker that joined with the INSTANCE_ID first.
        """
        explained = explain(error, f"{self._connection.bootstrap_servers}", cloud=self._cloud)
        if isinstance(explained, Unavailable):
            return self._refusal() or error
        if isinstance(explained, Replaced) and self._instance_id and (first := self._first_worker()):
            return Replaced(f"{explained}; the group lists the INSTANCE_ID {self._instance_id} with {first}")
        return error

    def _refusal(self) -> Exception | None:
        """Why a new connection is refused; None if it is not, or if no broker answers."""
        try:
            broker = BrokerAdmin(self._connection, cloud=self._cloud)
            self._clients.append(broker)
            broker.wait(limits.CAUSE_TIMEOUT)
        except (Refused, Misconfigured) as refusal:
            return refusal
        except Exception as other:  # noqa: BLE001  (no broker answers, for example: the first error is reported)
            logger.debug("no cause found: {}", other)
        return None

    def _first_worker(self) -> str | None:
        """The worker that joined the group with this INSTANCE_ID first; None if it is this one, or unknown.

        The broker keeps host and client id of that worker if another one replaces it.
        """
        admin = AdminClient(self._connection.as_librdkafka_dict() | {"log_level": 0})
        self._clients.append(admin)
        request = admin.describe_consumer_groups([self._group], request_timeout=limits.CAUSE_TIMEOUT)
        try:
            members = request[self._group].result().members
        except KafkaException:
            return None
        for member in members:
            if member.group_instance_id == self._instance_id and member.client_id != CLIENT_ID:
                return f"the host {member.host.lstrip('/')} and the client id {member.client_id}"
        return None
