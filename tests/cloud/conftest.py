"""A broker that requires a password, and Quix Cloud's API in front of it."""

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
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.brokers import STEADY
from tests.cloud.certificate import make_certificate
from tests.cloud.platform import GROUP, NARROW, PASSWORD, USER, WORKSPACE, Place, Platform, security
from tests.kafka import TIMEOUT, Kafka
from tools.broker.embedded import Broker

ADMIN = "admin"
ADMINS = f'user_{ADMIN}="{PASSWORD}"'
LOGIN = "org.apache.kafka.common.security"
TOPIC, EACH_GROUP, TRANSACTION = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
EXACT, PREFIX = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
ALL, READ, WRITE, DESCRIBE = AclOperation.ALL, AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE

RIGHTS = [
    (USER, TOPIC, f"{WORKSPACE}-", PREFIX, ALL),
    *((NARROW, TOPIC, f"{WORKSPACE}-", PREFIX, operation) for operation in (READ, WRITE, DESCRIBE)),
    (USER, EACH_GROUP, f"{WORKSPACE}-", PREFIX, ALL),
    (NARROW, EACH_GROUP, f"{WORKSPACE}-{GROUP}", EXACT, ALL),
    *((user, TRANSACTION, f"{WORKSPACE}-{GROUP}", PREFIX, ALL) for user in (USER, NARROW)),
]
"""The permissions of the workspace's users: only for names that begin with the workspace's id."""


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A broker with TLS, SASL and access rules, like that of a workspace of Quix Cloud."""
    keystore = tmp_path_factory.mktemp("broker") / "keystore.pem"
    certificate = make_certificate(keystore)
    properties = {
        "listener.security.protocol.map": "CLIENTS:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.clients.ssl.keystore.type": "PEM",
        "listener.name.clients.ssl.keystore.location": str(keystore),
        "listener.name.clients.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.clients.plain.sasl.jaas.config": f"{LOGIN}.plain.PlainLoginModule required {ADMINS};",
        "listener.name.clients.scram-sha-256.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:ANONYMOUS",
        **STEADY,
    }
    with Broker(properties=properties) as broker:
        yield Place(broker.address, certificate)


@pytest.fixture(scope="package")
def admin_settings(broker: Place) -> dict[str, str]:
    """The client settings of the broker's administrator."""
    return {**security(ADMIN), "sasl.mechanism": "PLAIN", "ssl.ca.pem": broker.certificate}


@pytest.fixture(scope="package")
def admin(broker: Place, admin_settings: dict[str, str]) -> AdminClient:
    """A client of the broker's administrator, who has set the workspace users' passwords and permissions."""
    client = AdminClient({"bootstrap.servers": broker.address, "log_level": 0, **admin_settings})
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    users = [UserScramCredentialUpsertion(user, scram, PASSWORD.encode()) for user in (USER, NARROW)]
    for known in client.alter_user_scram_credentials(users).values():
        known.result(TIMEOUT)
    rules = [
        AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for user, kind, name, pattern, operation in RIGHTS
    ]
    for answer in client.create_acls(rules).values():
        answer.result(TIMEOUT)
    return client


@pytest.fixture(scope="package")
def platform(broker: Place, admin: AdminClient) -> Iterator[Platform]:
    """Quix Cloud, with a workspace on that broker."""
    with Platform(broker, USER, PASSWORD, admin) as platform:
        yield platform


@pytest.fixture(scope="package")
def kafka(broker: Place, admin_settings: dict[str, str]) -> Kafka:
    """A client of the broker that sees everything."""
    return Kafka(broker.address, admin_settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The working directory of a deployment, empty."""
    return tmp_path
