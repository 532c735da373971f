"""The diagnosis of a failed connection without a broker. The tests with one are in tests/pipeline/test_secure.py."""

import socket
import struct
from collections.abc import Iterator
from http import HTTPStatus
from threading import Thread

import pytest
from quixstreams.kafka import ConnectionConfig

from runtime import limits
from runtime.connect.diagnose import KafkaVersion, diagnose, kafka_version
from runtime.observe.http_server import serve
from runtime.observe.response import Response


@pytest.fixture
def listeners(free_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Addresses without a Kafka broker."""
    monkeypatch.setattr(limits, "DIAGNOSE_TIMEOUT", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        serve({"/": lambda _: Response(HTTPStatus.OK, "")}, "127.0.0.1", free_port),
    ):
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
    assert kafka_version(ConnectionConfig.model_validate(connection)) is KafkaVersion.UNKNOWN


@pytest.mark.parametrize(
    ("highest", "version"), [(4, KafkaVersion.OLDER), (5, KafkaVersion.SUPPORTED), (6, KafkaVersion.SUPPORTED)]
)
def test_version(highest: int, version: KafkaVersion) -> None:
    """The highest version of EndTxn that a broker knows shows its version. tests/tools/check asks a real broker."""
    answer = struct.pack(">ihi", 1, 0, 2) + struct.pack(">hhh", 0, 0, 13) + struct.pack(">hhh", 26, 0, highest)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_once() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(100)
                client.sendall(struct.pack(">i", len(answer)) + answer)

        thread = Thread(target=serve_once)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert kafka_version(ConnectionConfig(bootstrap_servers=address)) is version
        thread.join()
