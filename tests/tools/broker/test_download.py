"""Kafka's jars are downloaded and checked against the lock, and errors are one line."""

import hashlib
import os
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.errors_page import check_row
from tools.broker import command, node
from tools.broker.download import Jar, jars, read_lock
from tools.broker.files import BrokerError
from tools.broker.ports import free_port

CONTENT = {f"org.example:part-{number}:1.{number}": bytes([number]) * 5000 * number for number in range(1, 13)}
JARS = [Jar(hashlib.sha256(data).hexdigest(), len(data), name) for name, data in CONTENT.items()]
FIRST = JARS[0]


class Repository(ThreadingHTTPServer):
    """A Maven repository on 127.0.0.1 that counts its requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {f"/maven/{jar.path}": CONTENT[jar.coordinates] for jar in JARS}
        self.failures = 0  # how many answers are bad before the first good one
        self.bad_status = 503
        self.asked: list[str] = []
        self.scheme = "http"

    @property
    def address(self) -> str:
        """Its base address."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/maven"


class _Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        self.server.asked.append(self.path.rsplit("/", 1)[1])
        good = self.server.failures <= 0
        self.server.failures -= 1
        body = self.server.files.get(self.path, b"") if good else b""
        self.send_response(200 if good else self.server.bad_status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serving(server: Repository) -> Iterator[Repository]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Repository]:
    """A repository that has every jar, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("tools.broker.download._PAUSE", 0.01)
    with _serving(Repository()) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the jars."""
    path = tmp_path / "user-login-pipeline" / "kafka"
    path.mkdir(parents=True)
    return path


def _assert_complete(folder: Path, found: list[Path]) -> None:
    assert [path.read_bytes() for path in found] == list(CONTENT.values())
    assert sorted(folder.iterdir()) == sorted(found)


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (None, [FIRST.name]),
        (b"", [FIRST.name]),
        (CONTENT[FIRST.coordinates][:-1], [FIRST.name]),
        (bytes(FIRST.size), [FIRST.name]),
        (CONTENT[FIRST.coordinates], []),
    ],
    ids=["missing", "empty", "cut", "damaged", "good"],
)
def test_fetch(repository: Repository, folder: Path, before: bytes | None, asked: list[str]) -> None:
    """A jar is fetched when it is missing, cut or damaged, and only then."""
    jars(JARS[1:], repository.address)
    repository.asked.clear()
    if before is not None:
        (folder / FIRST.name).write_bytes(before)
    _assert_complete(folder, jars(JARS, repository.address))
    assert repository.asked == asked


def test_transient_failure(repository: Repository, folder: Path) -> None:
    """A repository that fails for a moment is asked again."""
    repository.failures = 3
    assert jars([FIRST], repository.address) == list(folder.iterdir())
    assert repository.asked == [FIRST.name] * 4


def test_wrong_content(repository: Repository, folder: Path) -> None:
    """A jar that is not the pinned one is refused in one line that names it, and not kept."""
    repository.files[f"/maven/{FIRST.path}"] = bytes(FIRST.size)
    with pytest.raises(BrokerError, match=rf"\A{FIRST.name} .*sha256.*\Z"):
        jars([FIRST], repository.address)
    assert not list(folder.iterdir())


def test_no_network(repository: Repository, folder: Path) -> None:
    """Without a network the error is one line."""
    repository.shutdown()
    repository.server_close()
    with pytest.raises(BrokerError, match=r"\A.* cannot be fetched \(ConnectError: .*\); is there a network\?\Z"):
        jars(JARS, repository.address)
    assert not list(folder.iterdir())


def refused(server: Repository, _patch: pytest.MonkeyPatch, _folder: Path) -> None:
    """The repository, or a proxy before it, forbids the download."""
    server.failures, server.bad_status = 10, 403


def changed(server: Repository, _patch: pytest.MonkeyPatch, _folder: Path) -> None:
    """Something else arrives, for example a proxy's page."""
    server.files = dict.fromkeys(server.files, b"<html>")


def wrong_bundle(_server: Repository, patch: pytest.MonkeyPatch, folder: Path) -> None:
    """A file without certificates."""
    (folder / "bundle.pem").write_text("nothing")
    patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "bundle.pem"))


def wrong_proxy(_server: Repository, patch: pytest.MonkeyPatch, _folder: Path) -> None:
    """A kind of proxy that the HTTP client does not have."""
    patch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")


def cache_is_a_file(_server: Repository, patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing can be written there."""
    (folder / "file").touch()
    patch.setenv("XDG_CACHE_HOME", str(folder / "file"))


DOWNLOADS: dict[str, Callable[[Repository, pytest.MonkeyPatch, Path], None]] = {
    "broker tool: a download is refused": refused,
    "broker tool: a download is not the pinned file": changed,
    "broker tool: a file of CA certificates without certificates": wrong_bundle,
    "broker tool: a proxy of an unknown kind": wrong_proxy,
    "broker tool: the cache cannot be written": cache_is_a_file,
}


@pytest.mark.parametrize("name", DOWNLOADS)
def test_line(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
) -> None:
    """A download that fails ends the tool with one line that names the cause, after the line that announces it."""
    DOWNLOADS[name](repository, monkeypatch, tmp_path)
    monkeypatch.setattr(node, "_class_path", lambda: f"{jars([FIRST], repository.address)}")
    monkeypatch.setattr(sys, "argv", ["broker", "--port", f"{free_port()}"])
    assert command.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    *announced, line = err.splitlines()
    assert len(announced) <= 1
    check_row("Tools", name, 1, line)


def test_at_once(repository: Repository, folder: Path) -> None:
    """Several who fetch at the same time all get good jars."""
    with ThreadPoolExecutor(4) as pool:
        all_found = list(pool.map(lambda _: jars(JARS, repository.address), range(4)))
    for found in all_found:
        _assert_complete(folder, found)


def test_abandoned(repository: Repository, folder: Path) -> None:
    """What an interrupted download left is removed after an hour. A younger one may still be under way."""
    old, young = folder / "old.part", folder / "young.part"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 4000,) * 2)
    jars(JARS, repository.address)
    assert not old.exists()
    assert young.exists()


def _self_signed(file: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"])
def test_authorities(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, variable: str
) -> None:
    """Behind a proxy with its own certificate it is enough to name that in a usual variable."""
    pem = tmp_path / "own.pem"
    _self_signed(pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    repository.socket = context.wrap_socket(repository.socket, server_side=True)
    repository.scheme = "https"
    with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED"):
        jars([FIRST], repository.address)
    monkeypatch.setenv(variable, str(pem))
    assert jars([FIRST], repository.address) == [folder / FIRST.name]


def test_lock() -> None:
    """The lock pins every jar once, by sha256, and holds no address."""
    text, pinned = Path("tools/broker/kafka.lock").read_text(), read_lock()
    assert "://" not in text
    assert len({jar.name for jar in pinned}) == len(pinned) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in pinned)
    assert pinned[0].path == f"org/apache/kafka/kafka_2.13/{pinned[0].coordinates.split(':')[2]}/{pinned[0].name}"
