"""Brokers that clients cannot use: without coordinators, or with addresses that lead nowhere."""

from collections.abc import Mapping

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka import TIMEOUT
from tools.broker.embedded import Broker
from tools.broker.node import Member, new_cluster_id
from tools.broker.ports import HOST, choose_ports, free_port
from tools.broker.ready import Probe

STEADY = {"log.retention.ms": "-1", "broker.session.timeout.ms": "60000"}
"""Records of any age are kept, and a broker that is slow or frozen for up to a minute is not fenced.

Not for a test that kills a broker: it would count as alive for that minute, also if it is started again.
"""
NO_GROUPS = {"offsets.topic.replication.factor": "3", "default.replication.factor": "3"}
"""For one broker: it has no coordinator of consumer groups."""
AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
"""Everything is permitted until `hide` is called."""


class IncompleteBroker(Broker):
    """A broker whose start does not wait for groups and transactions: its settings prevent them."""

    def _answers(self, probe: Probe, deadline: float) -> bool:
        del probe._left[2:]
        return super()._answers(probe, deadline)


def advertising(addresses: Mapping[str, str]) -> tuple[Broker, dict[str, str]]:
    """Make a broker with a listener for each of these names, and return it and the addresses of the listeners.

    Args:
        addresses: by a listener's name, in capital letters, what it advertises.
    """
    ports, own = choose_ports(None), {name: f"{HOST}:{free_port()}" for name in addresses}
    usual = {"CLIENTS": f"{HOST}:{ports.clients}", "INTERNAL": f"{HOST}:{ports.internal}"}
    properties = {
        "listeners": _listed(own),
        "advertised.listeners": _listed(usual | dict(addresses)),
        **STEADY,
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in (*usual, "CONTROLLER", *own)),
    }
    return Broker(properties=properties, member=Member(ports, new_cluster_id())), own


def hide(address: str, kind: ResourceType, name: str, operation: AclOperation) -> None:
    """Refuse everybody this operation on a resource, and permit all others."""
    rules = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", each, permission)
        for each, permission in ((AclOperation.ALL, AclPermissionType.ALLOW), (operation, AclPermissionType.DENY))
    ]
    admin = AdminClient({"bootstrap.servers": address})
    for answer in admin.create_acls(rules).values():
        answer.result(TIMEOUT)


def _listed(addresses: Mapping[str, str]) -> str:
    return ",".join(f"{name}://{address}" for name, address in addresses.items())
