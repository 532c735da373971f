"""Why no connection comes about, where librdkafka does not say: found out over connections of our own."""

import socket
import ssl
import struct
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from confluent_kafka import KafkaError
from cryptography.x509 import load_pem_x509_certificate
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.errors import Misconfigured

_PORT = 9092  # where an address has none
_SASL_HANDSHAKE = 17  # the request's number in Kafka's protocol
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64  # of OpenSSL's x509_vfy.h


def diagnose(connection: ConnectionConfig) -> Misconfigured | None:
    """Find out what keeps client and broker apart; None where that does not show, as where nobody listens.

    It begins as a client does, with the same certificates, up to Kafka's SaslHandshake. Every broker answers that one,
    be it to say that it asks for no SASL. Credentials are not sent.
    """
    deadline = time.monotonic() + limits.DIAGNOSE_TIMEOUT
    for address in connection.bootstrap_servers.split(","):
        with suppress(OSError, ValueError):
            parts = urlsplit(address if "://" in address else f"//{address.strip()}")
            return _examine(_Place(parts.hostname or "", parts.port or _PORT, deadline), connection)
    return None


class _Place(NamedTuple):
    """A broker's address, and until when there is time for it."""

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


def _examine(place: _Place, connection: ConnectionConfig) -> Misconfigured | None:
    """The same for one address; OSError where nothing shows."""
    protocol = connection.security_protocol or "plaintext"
    if protocol.endswith("ssl"):
        try:
            place.connect(_ca_context(connection)).close()
        except ssl.SSLCertVerificationError as error:
            return _not_trusted(error, place, connection)
        except OSError:
            pass  # whatever it is, the next steps show it
    try:
        tls, mechanisms = _probe_listener(place, connection)
    except ssl.SSLError:
        return _expired(connection)
    right = f"{'sasl_' if mechanisms else ''}{'ssl' if tls else 'plaintext'}"
    if right == protocol:
        return None
    how = f" and BROKER_SASL_MECHANISM={' or '.join(mechanisms)}" if mechanisms else ""
    return Misconfigured(f"{place} speaks {right} there, not {protocol}: set BROKER_SECURITY_PROTOCOL={right}{how}")


def _ca_context(connection: ConnectionConfig) -> ssl.SSLContext:
    """What decides on the broker's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if connection.ssl_ca_location:
        context.load_verify_locations(connection.ssl_ca_location)
    else:
        context.load_default_certs()
    return context


def _not_trusted(error: ssl.SSLCertVerificationError, place: _Place, connection: ConnectionConfig) -> Misconfigured:
    if error.verify_code in {_OTHER_HOST, _OTHER_ADDRESS}:
        problem = "is made out to another host name: connect to that one (Quix__Broker__Address), or renew it"
    elif error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
        problem = "does not hold today: renew it, there"
    else:
        trusted = connection.ssl_ca_location or "not set: this system's own are trusted"
        problem = f"is from no authority in BROKER_SSL_CA_LOCATION ({trusted})"
    return Misconfigured(f"the certificate of {place} {problem}: {error.verify_message.rstrip('.')}")


def _probe_listener(place: _Place, connection: ConnectionConfig) -> tuple[bool, list[str]]:
    """Whether the listener speaks TLS, and which SASL mechanisms it asks for, if any.

    Raises:
        SSLError: it speaks TLS, and does not want this client's certificate, or none.
        OSError: nobody answers as Kafka does.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing that matters is told to it
    if connection.ssl_certificate_location:
        password = connection.ssl_key_password
        secret = password.get_secret_value() if password else ""  # without one OpenSSL would ask the terminal
        context.load_cert_chain(connection.ssl_certificate_location, connection.ssl_key_location, secret)
    try:
        secure = place.connect(context)
    except OSError:
        with place.connect() as plain:
            return False, _mechanisms(plain)
    with secure:
        return True, _mechanisms(secure)


def _mechanisms(connection: socket.socket) -> list[str]:
    """The SASL mechanisms that the listener has; none where it asks for no SASL."""
    number = 1
    request = struct.pack(">hhihh", _SASL_HANDSHAKE, 1, number, -1, 0)  # no client's name, and a mechanism of no name
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as answers:
        try:
            _, answered, code, count = struct.unpack(">iihi", answers.read(14))
            names = [answers.read(*struct.unpack(">h", answers.read(2))).decode() for _ in range(count)]
        except struct.error:
            raise ConnectionError("it ends before Kafka would") from None
    if answered != number or code not in {KafkaError.UNSUPPORTED_SASL_MECHANISM, KafkaError.ILLEGAL_SASL_STATE}:
        raise ConnectionError("this is not Kafka")
    return sorted(names)


def _expired(connection: ConnectionConfig) -> Misconfigured | None:
    """Say so where the client's own certificate is too old or too new."""
    if connection.ssl_certificate_location is None:
        return None
    certificate = load_pem_x509_certificate(Path(connection.ssl_certificate_location).read_bytes())
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if since <= datetime.now(UTC) <= until:
        return None
    return Misconfigured(
        f"the client's certificate, {connection.ssl_certificate_location} (BROKER_SSL_CERTIFICATE_LOCATION), holds "
        f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC: renew it"
    )
