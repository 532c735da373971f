"""Other engines: as which peer each runs, what builds it, and its version."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.peers import Peer, python

FOLDER = Path(__file__).parent
BUILD = FOLDER / "build"
KAFKA_STREAMS, FLINK = "Kafka Streams, exactly_once_v2", "Flink, at-least-once"
FRANZ_GO, BENTO, FASTSTREAM = "franz-go loop", "Bento", "FastStream"


@dataclass(frozen=True)
class Toolchain:
    """The programs that must be installed, and the command that builds an engine in its folder."""

    tools: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True)
class Engine:
    """A peer that is built first. `package` is the one whose version its folder pins."""

    peer: Peer
    folder: str
    package: str
    toolchain: Toolchain


def _java(folder: str, main: str) -> tuple[str, ...]:
    """Run a class that Maven has built, with a fixed heap larger than it needs."""
    paths = f"{BUILD / folder / 'classes'}:{BUILD / folder / 'lib'}/*"
    return ("java", "-Xms1g", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", paths, main)


_MAVEN = Toolchain(("java", "javac", "mvn"), ("mvn", "--quiet", "--batch-mode", "process-classes"))
_GO = Toolchain(("go",), ("go", "build", "-o", f"{BUILD}/", "."))
_KAFKA_STREAMS = Peer(
    KAFKA_STREAMS, _java("kafka_streams", "KafkaStreamsMap"), "exactly_once_v2", records_per_second=150_000
)
_FLINK = Peer(FLINK, _java("flink", "FlinkMap"), "at-least-once", records_per_second=230_000)
_FRANZ_GO = Peer(FRANZ_GO, (f"{BUILD / 'franz_go'}",), records_per_second=215_000)
_BENTO = Peer(BENTO, (f"{BUILD / 'bento'}",))
ENGINES = (
    Engine(_KAFKA_STREAMS, "kafka_streams", "kafka-streams", _MAVEN),
    Engine(_FLINK, "flink", "flink-streaming-java", _MAVEN),
    Engine(_FRANZ_GO, "franz_go", "github.com/twmb/franz-go", _GO),
    Engine(_BENTO, "bento", "github.com/warpstreamlabs/bento", _GO),
)
FASTSTREAM_PEER = Peer(
    FASTSTREAM, python("benchmarks.engines.faststream_app"), records_per_second=25_000, extra="faststream"
)


def build() -> list[Peer]:
    """Build the engines whose tools are installed, print which are left out, and return all that can run.

    Raises:
        SystemExit: a build failed.
    """
    built = []
    shutil.rmtree(BUILD, ignore_errors=True)  # no library of an earlier version stays
    for engine in ENGINES:
        name, command = engine.peer.name, engine.toolchain.command
        if missing := [tool for tool in engine.toolchain.tools if shutil.which(tool) is None]:
            print(f"{name} is left out: {' and '.join(missing)} not found")
            continue
        print(f"building {name}", flush=True)
        done = subprocess.run(
            command,
            cwd=FOLDER / engine.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{name} could not be built: {' '.join(command)}\n{done.stdout[-3000:]}")
        built.append(engine.peer)
    return [*built, FASTSTREAM_PEER]


def versions() -> dict[str, str]:
    """The version of each engine, and those of Java and Go, if they are installed."""
    found = {engine.package: _pinned(engine) for engine in ENGINES}
    try:
        found["faststream"] = version("faststream")
    except PackageNotFoundError:
        found["faststream"] = "not installed"
    for command in (("java", "--version"), ("go", "version")):
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[command[0]] = said.splitlines()[0].removeprefix("go version ")
    return found


def _pinned(engine: Engine) -> str:
    """The version in pom.xml or go.mod."""
    (file,) = [path for name in ("pom.xml", "go.mod") if (path := FOLDER / engine.folder / name).exists()]
    pattern = rf"{re.escape(engine.package)}(?:</artifactId>\s*<version>| )([^<\s]+)"
    (found,) = re.findall(pattern, file.read_text())
    return str(found)
