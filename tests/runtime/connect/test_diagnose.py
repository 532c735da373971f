"""The diagnosis of a failed connection without a broker; tests/pipeline/test_secure.py has it with one."""

import socket
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.diagnose import diagnose
from runtime.observe.http_server import Response, serve


@pytest.fixture
def listeners(free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Addresses without a Kafka broker."""
    monkeypatch.setattr(limits, "DIAGNOSE_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, serve({"/": lambda: Response(HTTPStatus.OK, "")}, free_port):
        yield {
            "no listener": "127.0.0.1:1",
            "no address": "127.0.0.1:port,[",
            "no answer": f"127.0.0.1:{silent.getsockname()[1]}",
            "an HTTP server": f"127.0.0.1:{free_port}",
        }


@pytest.mark.parametrize("protocol", ["plaintext", "ssl"])
@pytest.mark.parametrize("listener", ["no listener", "no address", "no answer", "an HTTP server"])
def test_not_visible(listeners: dict[str, str], listener: str, protocol: str) -> None:
    """If no Kafka broker answers, the diagnosis is None."""
    connection = {"bootstrap_servers": listeners[listener], "security_protocol": protocol}
    assert diagnose(ConnectionConfig.model_validate(connection)) is None
