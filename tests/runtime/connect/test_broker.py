"""The admin client without a broker. The tests with one are in tests/pipeline."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.broker import BrokerAdmin
from runtime.errors import Misconfigured, Stopped, Unavailable
from runtime.stop.signals import stop_request
from tests.certificates import Authority


def connection(port: int = 1, **changed: str) -> ConnectionConfig:
    """A connection to this port, with these settings."""
    return ConnectionConfig.model_validate({"bootstrap_servers": f"127.0.0.1:{port}", **changed})


def test_contradiction() -> None:
    """If librdkafka refuses the settings, the error names them as the user knows them."""
    with pytest.raises(Misconfigured, match=r"the BROKER_.* settings contradict each other: .*BROKER_SSL_CA_LOCATION"):
        BrokerAdmin(connection(security_protocol="ssl", ssl_ca_location=__file__))


@pytest.mark.parametrize(
    ("cloud", "address"), [(False, r"{} \(Quix__Broker__Address\)"), (True, r"{} \(supplied by Quix Cloud\)")]
)
def test_no_broker(monkeypatch: pytest.MonkeyPatch, free_port: int, address: str, *, cloud: bool) -> None:
    """Without a broker, it waits for limits.START_TIMEOUT. The error has the address and where it is from."""
    monkeypatch.setattr(limits, "START_TIMEOUT", 0.0)
    expected = f"no broker answers at {address.format(f'127.0.0.1:{free_port}')}: waited 0 s"
    with pytest.raises(Unavailable, match=expected):
        BrokerAdmin(connection(free_port), cloud=cloud).wait()


def test_expired_certificate(free_port: int, tmp_path: Path) -> None:
    """If TLS failed, an expired client's certificate is the cause, even if the broker does not answer the diagnosis."""
    certificate, key = Authority(tmp_path, "authority").sign("client", expired=True)
    own = {"ssl_certificate_location": f"{certificate}", "ssl_key_location": f"{key}"}
    broker = BrokerAdmin(connection(free_port, security_protocol="ssl", **own))
    refused = broker._diagnose(KafkaError(KafkaError._SSL, "ssl/tls alert certificate unknown: SSL alert number 46"))
    assert "(BROKER_SSL_CERTIFICATE_LOCATION) is valid from" in f"{refused}"
    closed = broker._diagnose(KafkaError(KafkaError._TRANSPORT, "Connection refused"))
    assert "certificate" not in f"{closed}"


def test_stop(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """A request to stop ends the wait."""
    monkeypatch.setattr(stop_request, "requested", True)
    with pytest.raises(Stopped):
        BrokerAdmin(connection(free_port)).wait()


def test_not_stoppable(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """A check after a request to stop, whether the broker refuses the credentials, is not ended by that request."""
    monkeypatch.setattr(stop_request, "requested", True)
    with pytest.raises(Unavailable, match="no broker answers at"):
        BrokerAdmin(connection(free_port), stoppable=False).wait(0.0)
