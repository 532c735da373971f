"""Renovate's settings cover the pinned versions, and its pip-compile manager can rewrite the locks."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.kustomize import MODULE

ROOT = Path(__file__).parent.parent.parent
RENOVATE: dict[str, Any] = json.loads((ROOT / ".github/renovate.json").read_text())
LOCKS = sorted(f"requirements/{path.name}" for path in (ROOT / "requirements").iterdir())

OPTIONS = {"--universal", "--python-version", "--generate-hashes", "--extra", "--constraint", "--output-file"}
"""The options of uv in use here, all supported by Renovate's pip-compile manager."""


def pins(lock: str) -> set[str]:
    """The packages that a lock file names, with versions."""
    return set(re.findall(r"^[a-z0-9._-]+==[^ ;]+", (ROOT / lock).read_text(), re.MULTILINE))


def matches(manager: dict[str, Any], path: str) -> bool:
    """Whether a manager's patterns, regular expressions between slashes, match a file."""
    return any(re.search(pattern.strip("/"), path) for pattern in manager["managerFilePatterns"])


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_commands(lock: str) -> None:
    """A lock's second line is the command that wrote it, with options that Renovate supports and values after "="."""
    assert matches(RENOVATE["pip-compile"], lock)
    words = shlex.split((ROOT / lock).read_text().splitlines()[1].removeprefix("#    "))
    assert words[:3] == ["uv", "pip", "compile"]
    options = [word for word in words[3:] if word.startswith("-")]
    assert {option.split("=")[0] for option in options} <= OPTIONS
    assert [word for word in words[3:] if word not in options] == ["pyproject.toml"]
    assert f"--output-file={lock}" in options


def test_lock_order() -> None:
    """Each lock is constrained by the one before, as Renovate writes them in the order of their names."""
    constraints = []
    for lock in LOCKS:
        found = re.search(r"--constraint=(\S+)", (ROOT / lock).read_text().splitlines()[1])
        constraints.append(found[1] if found else None)
    assert constraints == [None, *LOCKS[:-1]]


@pytest.mark.parametrize("lock", LOCKS[:-1])
def test_locks_agree(lock: str) -> None:
    """The packages of the pipeline's lock have the same versions in the locks for tests and benchmarks."""
    assert pins("requirements/pipeline.lock") <= pins(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_lines(lock: str) -> None:
    """A lock gives hashes for each package, and no address to download from."""
    text = (ROOT / lock).read_text()
    hashed = re.findall(r"^\S+==.* \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(hashed) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)


def test_kustomize() -> None:
    """Renovate finds the module and the version of kustomize."""
    (manager,) = RENOVATE["customManagers"]
    assert matches(manager, "tests/deploy/kustomize.py")
    (pattern,) = manager["matchStrings"]
    found = re.search(pattern.replace("(?<", "(?P<"), (ROOT / "tests/deploy/kustomize.py").read_text())
    assert found is not None
    assert f"{found['depName']}@{found['currentValue']}" == MODULE
