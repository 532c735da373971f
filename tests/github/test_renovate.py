"""Renovate's settings reach what is pinned here, and the locks are such as its pip-compile manager can write anew."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.go_tools import MODULES

ROOT = Path(__file__).parent.parent.parent
RENOVATE: dict[str, Any] = json.loads((ROOT / ".github/renovate.json").read_text())
LOCKS = sorted(path.name for path in ROOT.glob("*.lock"))

OPTIONS = {"--universal", "--python-version", "--generate-hashes", "--extra", "--constraint", "--output-file"}
"""Of those that Renovate's pip-compile manager knows for uv, the ones in use here."""


def pins(lock: str) -> set[str]:
    """The packages that a lock file names, with versions."""
    return set(re.findall(r"^[a-z0-9._-]+==[^ ;]+", (ROOT / lock).read_text(), re.MULTILINE))


def matches(manager: dict[str, Any], path: str) -> bool:
    """Whether a manager's patterns, regular expressions between slashes, take a file."""
    return any(re.search(pattern.strip("/"), path) for pattern in manager["managerFilePatterns"])


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_commands(lock: str) -> None:
    """A lock's second line is the command that wrote it, with options that Renovate knows, their values behind "="."""
    assert matches(RENOVATE["pip-compile"], lock)
    words = shlex.split((ROOT / lock).read_text().splitlines()[1].removeprefix("#    "))
    assert words[:3] == ["uv", "pip", "compile"]
    options = [word for word in words[3:] if word.startswith("-")]
    assert {option.split("=")[0] for option in options} <= OPTIONS
    assert [word for word in words[3:] if word not in options] == ["pyproject.toml"]
    assert f"--output-file={lock}" in options


def test_lock_order() -> None:
    """Renovate writes the locks in the order of their names; each is held to the versions of the one before."""
    held_to = []
    for lock in LOCKS:
        found = re.search(r"--constraint=(\S+)", (ROOT / lock).read_text().splitlines()[1])
        held_to.append(found[1] if found else None)
    assert held_to == [None, *LOCKS[:-1]]


@pytest.mark.parametrize("lock", LOCKS[:-1])
def test_locks_agree(lock: str) -> None:
    """What runs in production is tested and measured in the same versions."""
    assert pins("requirements.lock") <= pins(lock)


def test_schemas() -> None:
    """The lock of Kubernetes' schemas is taken care of; being under tests/ keeps nothing out."""
    assert matches(RENOVATE["pip_requirements"], "tests/deploy/schemas.lock")
    assert RENOVATE["ignorePaths"] == []


def test_go_modules() -> None:
    """Of each checker written in Go, Renovate sees the module and its version."""
    (manager,) = RENOVATE["customManagers"]
    assert matches(manager, "tests/go_tools.py")
    (pattern,) = manager["matchStrings"]
    found = re.findall(pattern.replace("(?<", "(?P<"), (ROOT / "tests/go_tools.py").read_text())
    assert [f"{name}@{version}" for name, version in found] == [
        re.sub(r"/cmd/[a-z]+", "", module) for module in MODULES.values()
    ]
