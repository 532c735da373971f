"""A broker with a listener for each security mode: TLS, mutual TLS, SASL over TLS, an expired certificate, none."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from tests.brokers import STEADY
from tests.certificates import Authority
from tests.grants import Grant, rule
from tests.kafka import TIMEOUT, Kafka
from tools.broker.embedded import Broker
from tools.broker.node import Member, new_cluster_id
from tools.broker.ports import HOST, choose_ports, free_port

PASSWORD, KEY_PASSWORD = "s3cret-password", "s3cret-key"
_LISTENERS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "SCRAM": "SASL_SSL",
    "PLAIN": "SASL_SSL",
    "RENAMED": "SSL",
}
_LOGIN = "org.apache.kafka.common.security"


class Secured(NamedTuple):
    """The running broker, a plaintext client without restrictions, the ports by listener, and the certificates."""

    broker: Broker
    kafka: Kafka
    ports: Mapping[str, int]
    folder: Path

    def settings(self, listener: str, host: str = HOST) -> dict[str, str]:
        """The pipeline's settings for a listener: its address, its protocol, and the authority to trust."""
        settings = {"Quix__Broker__Address": f"{host}:{self.ports[listener]}"}
        if listener != "CLIENTS":
            settings |= {"BROKER_SECURITY_PROTOCOL": _LISTENERS[listener].lower()} | self.trusting("authority")
        return settings

    def trusting(self, authority: str) -> dict[str, str]:
        """The setting that makes the pipeline trust the `authority` or the `stranger`."""
        return {"BROKER_SSL_CA_LOCATION": str(self.folder / f"{authority}.pem")}

    def client(self, name: str) -> dict[str, str]:
        """The settings for a client's certificate: `client`, `expired-client`, `locked-client` or `strange-client`."""
        return {
            "BROKER_SSL_CERTIFICATE_LOCATION": str(self.folder / f"{name}.pem"),
            "BROKER_SSL_KEY_LOCATION": str(self.folder / f"{name}.key"),
        }


def login(user: str, mechanism: str = "SCRAM-SHA-512", password: str = PASSWORD) -> dict[str, str]:
    """The settings for a user with a password."""
    return {
        "BROKER_SASL_MECHANISM": mechanism,
        "BROKER_SASL_USERNAME": user,
        "BROKER_SASL_PASSWORD": password,
    }


@contextmanager
def secured_broker(
    folder: Path, users: Mapping[str, Sequence[Grant]], properties: Mapping[str, str] | None = None
) -> Iterator[Secured]:
    """Run a broker with these listeners and the topics `in` and `out`.

    RENAMED advertises another name than it has.

    Args:
        folder: for the certificates.
        users: the permissions of each. They log in with PASSWORD, or have their name in a certificate. A client
            without either may do anything.
        properties: Kafka's own settings, over those of this broker.
    """
    ports, own = {listener: free_port() for listener in _LISTENERS}, choose_ports(None)
    named = {"CLIENTS": own.clients, "INTERNAL": own.internal, **ports}
    advertised = (f"{name}://{'localhost' if name == 'RENAMED' else HOST}:{port}" for name, port in named.items())
    listed = {"advertised.listeners": ",".join(advertised)}
    merged = _properties(folder, ports, users) | listed | dict(properties or {})
    with Broker(properties=merged, member=Member(own, new_cluster_id())) as broker:
        kafka = Kafka(broker.address)
        admin = AdminClient({"bootstrap.servers": broker.address})
        rules = [rule(user, grant) for user, grants in users.items() for grant in grants]
        answers = [*admin.create_acls(rules).values()]
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            info = ScramCredentialInfo(mechanism, 4096)
            known = [UserScramCredentialUpsertion(user, info, PASSWORD.encode()) for user in users]
            answers += admin.alter_user_scram_credentials(known).values()
        for answer in answers:
            answer.result(TIMEOUT)
        for topic in ("in", "out"):
            kafka.create_topic(topic)
        yield Secured(broker, kafka, ports | {"CLIENTS": int(broker.port or 0)}, folder)


def _properties(folder: Path, ports: Mapping[str, int], users: Mapping[str, Sequence[Grant]]) -> dict[str, str]:
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    for name in ("client", "expired-client", "locked-client"):
        password = KEY_PASSWORD if name == "locked-client" else None
        authority.sign(name, expired=name == "expired-client", password=password)
    stranger.sign("strange-client")
    plain = {"CLIENTS": "PLAINTEXT", "INTERNAL": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    passwords = " ".join(f'user_{user}="{PASSWORD}"' for user in users)
    properties = {
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{how}" for name, how in {**plain, **_LISTENERS}.items()),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        **STEADY,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": f"{_LOGIN}.plain.PlainLoginModule required {passwords};",
    }
    for mechanism in ("scram-sha-256", "scram-sha-512"):
        module = f"{_LOGIN}.scram.ScramLoginModule required;"
        properties[f"listener.name.scram.{mechanism}.sasl.jaas.config"] = module
    for name in _LISTENERS:
        certificate, key = authority.sign(f"broker-{name}", [HOST], expired=name == "EXPIRED")
        both = certificate.with_suffix(".both.pem")
        both.write_text(key.read_text() + certificate.read_text())
        for store, file in (("keystore", both), ("truststore", authority.file)):
            properties[f"listener.name.{name.lower()}.ssl.{store}.type"] = "PEM"
            properties[f"listener.name.{name.lower()}.ssl.{store}.location"] = str(file)
    return properties
