"""Finds Prometheus' programs on the PATH, or unpacks Debian's package of them into the cache folder, without root."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tools.broker.files import cache_folder

_TIMEOUT = 300.0  # seconds, for each command


@cache
def program(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`; skip the test if there is none."""
    if found := shutil.which(name):
        return Path(found)
    unpacked = cache_folder() / "prometheus"
    if not unpacked.is_dir():
        _unpack(unpacked)
    return unpacked / "usr/bin" / name


def _unpack(target: Path) -> None:
    """Download the package and unpack it: an installed one would start its service."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        pytest.skip("no Prometheus on the PATH, and no apt-get to download it with")
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        for part in ("state/lists/partial", "cache/archives/partial", "prometheus"):
            (folder / part).mkdir(parents=True)
        options = [f"Dir::State={folder}/state", f"Dir::Cache={folder}/cache", "Dir::State::status=/var/lib/dpkg/status"]
        apt = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
        for command in ([*apt, "update"], [*apt, "download", "prometheus"]):
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
            if done.returncode:
                pytest.skip(f"no Prometheus on the PATH, and {' '.join(command)} failed: {done.stderr[-500:]}")
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg", "-x", package, folder / "prometheus"], check=True, timeout=_TIMEOUT)
        (folder / "prometheus").replace(target)
