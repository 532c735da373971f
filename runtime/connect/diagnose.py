"""Finds out why no connection is established, with connections of our own, if librdkafka does not tell."""

import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaError
from cryptography.x509 import load_pem_x509_certificate
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.addresses import MOST_AT_ONCE, BrokerAddress
from runtime.errors import Misconfigured

_SASL_HANDSHAKE, _API_VERSIONS, _END_TXN = 17, 18, 26  # the requests' API keys
_CORRELATION_ID = 1
_LARGEST_ANSWER = 65_536  # bytes
_END_TXN_OF_4_0 = 5
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64  # OpenSSL's x509_vfy.h
_OF_ONE_BROKER = {_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS}


def diagnose(connection: ConnectionConfig, *, connected: bool = False) -> Misconfigured | None:
    """Give the reason why client and brokers do not connect, or None if none is visible, as without a listener.

    It asks all addresses at the same time: of several brokers, one may have another certificate. It connects as a
    client does, with the same certificates, and sends a SaslHandshake request. Every broker answers it, also without
    SASL. Credentials are not sent.

    Args:
        connection: the addresses, and how to connect.
        connected: whether the Kafka client has connected to one of them. Then only what differs from broker to broker
            can be wrong: the validity of its certificate and its name. (The client may look for CAs elsewhere.)
    """
    trusted = _ca_context(connection)  # once, as reading the system's CAs takes 20 ms
    deadline = time.monotonic() + limits.DIAGNOSE_TIMEOUT

    def diagnose_one(address: BrokerAddress) -> Misconfigured | None:
        with suppress(OSError, ValueError):
            listener = _Listener(*address, deadline)
            if fault := _untrusted(listener, connection, trusted, connected=connected):
                return fault
            if not connected:
                return _other_protocol(listener, connection)
        return None

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return next(filter(None, pool.map(diagnose_one, BrokerAddress.parse(connection.bootstrap_servers))), None)


class KafkaVersion(Enum):
    """The version of a broker, as far as its answer to ApiVersions shows it."""

    SUPPORTED = "Kafka 4.0 or later"
    OLDER = "older than Kafka 4.0: a late request may break exactly-once (docs/guarantees.md); upgrade it"
    UNKNOWN = "not a version of Apache Kafka's, or not visible"


def kafka_version(connection: ConnectionConfig) -> KafkaVersion:
    """Find out the version of the first broker that answers. This needs no credentials.

    EndTxn has version 5 since Kafka 4.0 (KIP-890).
    """
    deadline = time.monotonic() + limits.DIAGNOSE_TIMEOUT
    for address in BrokerAddress.parse(connection.bootstrap_servers):
        with suppress(OSError, ValueError, struct.error):
            listener = _Listener(*address, deadline)
            secure = (connection.security_protocol or "").endswith("ssl")
            with listener.connect(_any_context(connection) if secure else None) as opened:
                highest = _highest_versions(opened).get(_END_TXN, 0)
            if highest:
                return KafkaVersion.SUPPORTED if highest >= _END_TXN_OF_4_0 else KafkaVersion.OLDER
    return KafkaVersion.UNKNOWN


class _Listener(NamedTuple):
    """A broker's address, and the deadline (time.monotonic) for its answers."""

    host: str
    port: int
    deadline: float

    def connect(self, context: ssl.SSLContext | None = None) -> socket.socket:
        left = max(0.01, self.deadline - time.monotonic())
        connection = socket.create_connection((self.host, self.port), timeout=left)
        if context is None:
            return connection
        with connection:
            return context.wrap_socket(connection, server_hostname=self.host)

    def __str__(self) -> str:
        return f"the broker at {self.host}:{self.port}"


def _untrusted(
    listener: _Listener, connection: ConnectionConfig, trusted: ssl.SSLContext | None, *, connected: bool
) -> Misconfigured | None:
    """Why the broker's certificate is not accepted, or None without TLS or if there is another cause."""
    if trusted:
        try:
            listener.connect(trusted).close()
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _OF_ONE_BROKER or not connected:
                return _wrong_certificate(error, listener, connection)
        except OSError:
            pass
    return None


def _other_protocol(listener: _Listener, connection: ConnectionConfig) -> Misconfigured | None:
    """Why another protocol or client certificate is needed, or None if neither is.

    Raises:
        OSError: that is not visible.
    """
    protocol = connection.security_protocol or "plaintext"
    try:
        tls, mechanisms = _probe_listener(listener, connection)
    except ssl.SSLError:
        return check_expiry(connection)
    actual = f"{'sasl_' if mechanisms else ''}{'ssl' if tls else 'plaintext'}"
    if actual == protocol:
        return None
    mechanism = f" and BROKER_SASL_MECHANISM={' or '.join(mechanisms)}" if mechanisms else ""
    return Misconfigured(f"{listener} uses {actual}, not {protocol}: set BROKER_SECURITY_PROTOCOL={actual}{mechanism}")


def _ca_context(connection: ConnectionConfig) -> ssl.SSLContext | None:
    """The TLS context that verifies a broker's certificate, or None without TLS or if the CAs cannot be read."""
    if not (connection.security_protocol or "").endswith("ssl"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(OSError):
        if connection.ssl_ca_location:
            context.load_verify_locations(connection.ssl_ca_location)
        else:
            context.load_default_certs()
        return context
    return None


def _any_context(connection: ConnectionConfig) -> ssl.SSLContext:
    """The TLS context that accepts any broker, as no secret is sent, and shows the client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if connection.ssl_certificate_location:
        password = connection.ssl_key_password
        secret = password.get_secret_value() if password else ""  # without a password, OpenSSL would prompt for one
        context.load_cert_chain(connection.ssl_certificate_location, connection.ssl_key_location, secret)
    return context


def _highest_versions(connection: socket.socket) -> dict[int, int]:
    """The highest version that the broker knows of each request, by API key."""
    answer = _ask(connection, _API_VERSIONS, 0, b"")
    _, count = struct.unpack(">hi", answer.read(6))
    ranges = (struct.unpack(">hhh", answer.read(6)) for _ in range(count))
    return {key: highest for key, _, highest in ranges}


def _wrong_certificate(
    error: ssl.SSLCertVerificationError, listener: _Listener, connection: ConnectionConfig
) -> Misconfigured:
    if error.verify_code in {_OTHER_HOST, _OTHER_ADDRESS}:
        problem = (
            "does not match the host name; connect by the certificate's name (Quix__Broker__Address, and the broker's "
            "advertised.listeners), or replace it"
        )
    elif error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
        problem = "has expired or is not yet valid; renew it on the broker"
    else:
        trusted = connection.ssl_ca_location or "not set: the system's CAs are trusted"
        problem = f"is not signed by a CA in BROKER_SSL_CA_LOCATION ({trusted})"
    return Misconfigured(f"the certificate of {listener} {problem}: {error.verify_message.rstrip('.')}")


def _probe_listener(listener: _Listener, connection: ConnectionConfig) -> tuple[bool, list[str]]:
    """Whether the listener uses TLS, and its SASL mechanisms (none without SASL).

    Raises:
        SSLError: it uses TLS and refuses the client's certificate, or requires one.
        OSError: no Kafka broker answers.
    """
    context = _any_context(connection)
    try:
        secure = listener.connect(context)
    except OSError:
        with listener.connect() as plain:
            return False, _mechanisms(plain)
    with secure:
        return True, _mechanisms(secure)


def _mechanisms(connection: socket.socket) -> list[str]:
    """The SASL mechanisms of the listener, or none without SASL."""
    answer = _ask(connection, _SASL_HANDSHAKE, 1, struct.pack(">h", 0))  # an empty mechanism
    code, count = struct.unpack(">hi", answer.read(6))
    names = [answer.read(*struct.unpack(">h", answer.read(2))).decode() for _ in range(count)]
    if code not in {KafkaError.UNSUPPORTED_SASL_MECHANISM, KafkaError.ILLEGAL_SASL_STATE}:
        raise ConnectionError("the answer is not Kafka's")
    return sorted(names)


def _ask(connection: socket.socket, key: int, version: int, body: bytes) -> BytesIO:
    """Send a request without a client id, and give the answer without its header.

    Raises:
        ConnectionError: the answer is incomplete, or not Kafka's.
    """
    request = struct.pack(">hhih", key, version, _CORRELATION_ID, -1) + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answers:
        size, correlation_id = (int.from_bytes(answers.read(4)) for _ in range(2))
        answer = answers.read(max(0, min(size - 4, _LARGEST_ANSWER)))
    if correlation_id != _CORRELATION_ID or len(answer) != size - 4:
        raise ConnectionError("the answer is incomplete, or not Kafka's")
    return BytesIO(answer)


def check_expiry(connection: ConnectionConfig) -> Misconfigured | None:
    """The error if the client's own certificate has expired or is not yet valid."""
    if connection.ssl_certificate_location is None:
        return None
    certificate = load_pem_x509_certificate(Path(connection.ssl_certificate_location).read_bytes())
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if since <= datetime.now(UTC) <= until:
        return None
    return Misconfigured(
        f"the client certificate {connection.ssl_certificate_location} (BROKER_SSL_CERTIFICATE_LOCATION) is valid "
        f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC only; renew it"
    )
