"""A broker that asks for a password, and Quix Cloud's API in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.cloud.platform import GROUP, NARROW, PASSWORD, USER, WORKSPACE, Platform, security
from tests.kafka import TIMEOUT, Kafka
from tools.broker import Broker

ADMIN = "admin"
LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
TOPIC, EACH_GROUP, TRANSACTION = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
EXACT, PREFIX = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
ALL, READ, WRITE, DESCRIBE = AclOperation.ALL, AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE

RIGHTS = [
    (USER, TOPIC, f"{WORKSPACE}-", PREFIX, ALL),
    *((NARROW, TOPIC, f"{WORKSPACE}-", PREFIX, operation) for operation in (READ, WRITE, DESCRIBE)),
    *((user, EACH_GROUP, f"{WORKSPACE}-{GROUP}", EXACT, ALL) for user in (USER, NARROW)),
    *((user, TRANSACTION, f"{WORKSPACE}-{GROUP}-", PREFIX, ALL) for user in (USER, NARROW)),
]
"""What the workspace's users may do on the broker: nothing outside of what begins with the workspace's id."""


@pytest.fixture(scope="package")
def broker() -> Iterator[Broker]:
    """A broker with SASL and access rules."""
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in (ADMIN, USER, NARROW))
    properties = {
        "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.clients.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": f"{LOGIN_MODULE} required {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:ANONYMOUS",
    }
    with Broker(properties=properties) as broker:
        yield broker


@pytest.fixture(scope="package")
def admin(broker: Broker) -> AdminClient:
    """Somebody who may do anything on it; the workspace's users have their rights by then."""
    client = AdminClient({"bootstrap.servers": broker.address, **security(ADMIN), "log_level": 0})
    rules = [
        AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for user, kind, name, pattern, operation in RIGHTS
    ]
    for answer in client.create_acls(rules).values():
        answer.result(TIMEOUT)
    return client


@pytest.fixture(scope="package")
def platform(broker: Broker, admin: AdminClient) -> Iterator[Platform]:
    """Quix Cloud, with a workspace on that broker."""
    with Platform(broker.address, USER, PASSWORD, admin) as platform:
        yield platform


@pytest.fixture(scope="package")
def kafka(broker: Broker) -> Kafka:
    """A client of the broker that sees everything."""
    return Kafka(broker.address, security(ADMIN))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a deployment runs: an empty folder."""
    return tmp_path
