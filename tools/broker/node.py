"""Prepares one node of Apache Kafka: settings, a formatted data folder, a command line."""

import json
import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache as once
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from tools.broker.download import KAFKA_VERSION, jars, java
from tools.broker.files import BrokerError, cache_folder, check_path
from tools.broker.ports import HOST, Ports

# Options of Java: a start within seconds; a slower start, but less CPU after minutes; the same with more memory.
QUICK_START = ("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
STEADY = ("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC")
FULL_SPEED = ("-Xms512m", "-Xmx512m")

# A damaged cache is ignored, without warnings.
_AOT_FLAGS = ("-XX:+VerifySharedSpaces", "-Xlog:disable")

_LOGGING = {"defaultLogLevel": "warn", "showDateTime": "true", "dateTimeFormat": "HH:mm:ss.SSS"}
_META = "version=1\ncluster.id={}\nnode.id={}\n"
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CLIENTS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "broker.session.timeout.ms": "1500",  # a restart waits for the timeout of its earlier run
    "broker.heartbeat.interval.ms": "300",
    "log.cleaner.dedupe.buffer.size": "4194304",  # 128 MB of the heap otherwise
}


class Member(NamedTuple):
    """What one of several nodes keeps when it restarts: its ports, and the id of the cluster."""

    ports: Ports
    cluster: str


def prepare(folder: Path, ports: Ports, properties: Mapping[str, str], cluster: str | None = None) -> str:
    """Write the settings, and a data folder if there is none, into `folder`. Return the id of the node's cluster.

    `listeners` in the properties are added to the node's own; `{folder}` in a property is replaced by `folder`. The id
    is new if there was no data folder and none is given.

    Raises:
        BrokerError: Kafka's tool refuses the settings, or Kafka cannot use the folder's path.
    """
    check_path(folder, ",", "TMPDIR")  # `log.dirs` is a list
    listeners = [f"{name.upper()}://{HOST}:{port}" for name, port in ports._asdict().items()]
    more = [properties["listeners"]] if "listeners" in properties else []
    folders = {"log.dirs": "{folder}/data", "metadata.log.dir": "{folder}/data"}
    merged = {**_PROPERTIES, **folders, **properties, "listeners": ",".join(listeners + more)}
    merged.setdefault("controller.quorum.voters", f"{merged['node.id']}@{HOST}:{ports.controller}")
    settings = _settings(folder)
    escaped = json.dumps(os.fsencode(folder).decode())[1:-1]  # Java's properties have the same escapes
    settings.write_text("".join(f"{name}={value}\n" for name, value in merged.items()).replace("{folder}", escaped))
    meta = folder / "data" / "meta.properties"
    if not meta.exists():
        _format(settings, meta, merged["node.id"], cluster or new_cluster_id())
    cluster = next(
        line.removeprefix("cluster.id=") for line in meta.read_text().split() if line.startswith("cluster.id=")
    )
    for directory in map(Path, merged["log.dirs"].replace("{folder}", str(folder)).split(",")):
        directory.mkdir(exist_ok=True)
        if not (directory / meta.name).exists():
            (directory / meta.name).write_text(_META.format(cluster, merged["node.id"]))
    return cluster


def command(folder: Path, jvm: Sequence[str]) -> list[str]:
    """The command line of the node that was prepared in `folder`."""
    cache = aot_cache()
    if tuple(jvm) == QUICK_START and cache.exists():
        with suppress(OSError):  # others may own the cache
            cache.touch()
        jvm = (*QUICK_START, f"-XX:AOTCache={cache}", *_AOT_FLAGS)
    return _java(jvm, "kafka.Kafka", _settings(folder))


def environment() -> dict[str, str]:
    """Java's environment variables: ours, with a locale in which it can read any path."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def aot_cache() -> Path:
    """The path of Java's AOT cache for this Kafka, which `tools.broker.embedded.train` writes."""
    executable = java()
    mark = f"{executable} {executable.stat().st_mtime_ns} {QUICK_START} {_class_path()}"
    return cache_folder() / f"quick-start-{sha256(mark.encode()).hexdigest()[:16]}.aot"


def _settings(folder: Path) -> Path:
    return folder / "server.properties"


def _java(jvm: Sequence[str], main: str, *arguments: object) -> list[str]:
    logging = (f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in _LOGGING.items())
    return [str(java()), *jvm, *logging, "-cp", _class_path(), main, *map(str, arguments)]


@once
def _class_path() -> str:
    return os.pathsep.join(map(str, jars()))


def new_cluster_id() -> str:
    """An id for a new cluster."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _format(settings: Path, meta: Path, node: str, cluster: str) -> None:
    """Create a data folder as `kafka-storage format` does. Without it, Kafka disables newer features.

    Except for the ids, the tool always writes the same, so it runs only once and the result is cached.
    """
    kept = cache_folder() / f"bootstrap-{KAFKA_VERSION}.checkpoint"
    made = meta.with_name("bootstrap.checkpoint")
    meta.parent.mkdir(exist_ok=True)
    if kept.exists():
        shutil.copyfile(kept, made)
        meta.write_text(_META.format(cluster, node))
        return
    arguments = ("format", f"--cluster-id={cluster}", f"--config={settings}")
    tool = _java(QUICK_START, "kafka.tools.StorageTool", *arguments)
    answer = subprocess.run(tool, env=environment(), capture_output=True, check=False)
    if answer.returncode != 0:
        raise BrokerError(f"Apache Kafka cannot format its folder\n{(answer.stdout + answer.stderr).decode()}")
    part = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
    shutil.copyfile(made, part)
    part.replace(kept)
