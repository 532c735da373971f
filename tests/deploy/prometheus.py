"""Runs Prometheus: from the PATH, or from Debian's package, unpacked into the cache folder without root."""

import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from tools.broker.files import cache_folder
from tools.broker.ports import HOST, free_port
from tools.child_process import ChildProcess
from tools.waiting import wait_until

_TIMEOUT = 300.0  # seconds, for each command


def program(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`. Skip the test if there is none."""
    if found := shutil.which(name):
        return Path(found)
    unpacked = cache_folder() / "prometheus"
    if not unpacked.is_dir() and (problem := _unpack(unpacked)):
        pytest.skip(f"no Prometheus on the PATH, and {problem}")
    return unpacked / "usr/bin" / name


@cache
def _unpack(target: Path) -> str:
    """Download the programs and unpack them, as an installed one would start its service. Return why that failed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "no apt-get and dpkg to download it with"
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        for part in ("state/lists/partial", "cache/archives/partial", "unpacked/usr/bin"):
            (folder / part).mkdir(parents=True)
        places = [f"Dir::State={folder}/state", f"Dir::Cache={folder}/cache", "Dir::State::status=/var/lib/dpkg/status"]
        apt = ["apt-get", "-qq", *(f"--option={place}" for place in places)]
        problem = _run([*apt, "update"], folder)
        for package in ("prometheus", "promtool"):  # one package in Debian 12, two in later ones
            if not (folder / "unpacked/usr/bin" / package).exists():
                problem = problem or _run([*apt, "download", package], folder)
                problem = problem or _run(["sh", "-c", f"dpkg -x {package}_*.deb unpacked"], folder)
        if not problem:
            with suppress(OSError):  # another process has done the same
                (folder / "unpacked").rename(target)
        return problem


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    return f"{command} failed: {done.stderr[-500:]}" if done.returncode else ""


class Prometheus:
    """A Prometheus server on this machine. Leaving the `with` block ends it.

    Args:
        config: what its configuration file has.
        folder: for its files.
    """

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        address = f"{HOST}:{free_port()}"
        self._client = httpx.Client(base_url=f"http://{address}", trust_env=False)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._log = folder / "prometheus.log"
        options = {"config.file": "prometheus.yml", "storage.tsdb.path": "data", "web.listen-address": address}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            self._process = ChildProcess([program("prometheus"), *arguments], cwd=folder, stdout=log, stderr=log)

    def query(self, expression: str) -> list[dict[str, str]]:
        """Return the labels of each series that has a value now, other than NaN."""
        found = self._ask("/api/v1/query", query=expression)["result"]
        return [series["metric"] for series in found if series["value"][1] != "NaN"]

    def firing(self) -> list[Any]:
        """Return the alerts that fire."""
        return [alert for alert in self._ask("/api/v1/alerts")["alerts"] if alert["state"] == "firing"]

    def _ask(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters)
        assert answer.is_success, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with suppress(httpx.TransportError):
            return self._client.get("/-/ready").is_success
        return False

    def __enter__(self) -> Self:
        wait_until(self._is_ready, "Prometheus")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.stop(10)
