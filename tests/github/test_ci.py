"""The workflow for GitHub Actions is pinned, read-only, and made of `make` targets."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / ".github/workflows/ci.yml").read_text()
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]


def commands(job: str) -> list[str]:
    """The commands of a job, in order."""
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_what_runs() -> None:
    """Linux runs all checks on each supported Python, macOS the tests. Long jobs run once a day."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
    assert JOBS["linux"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert commands("linux") == [
        f"make {target}" for target in ("check", "test", "test-long", "test-browser", "audit", "test-compose")
    ]
    assert commands("macos") == ["make test", "make test-long"]
    assert commands("daily") == ["make test-planted", "make bench-quick", 'make faults ROW=10 FAULTS="--minutes 10"']
    (daily,) = WORKFLOW[True]["schedule"]  # YAML takes the key `on` for a truth value
    assert re.fullmatch(r"\d+ \d+ \* \* \*", daily["cron"])
    at_that_time = {job for job in JOBS if "!= 'schedule'" not in JOBS[job]["if"]}
    assert at_that_time == {"daily"}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {command.split()[1] for job in JOBS for command in commands(job)} <= set(targets)


def test_permissions() -> None:
    """The workflow may only read this repository, and leaves no credentials to its commands."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not [job for job in JOBS.values() if "permissions" in job]
    checkouts = [step for job in JOBS.values() for step in job["steps"] if "checkout@" in step.get("uses", "")]
    assert [step["with"] for step in checkouts] == [{"persist-credentials": False}] * len(JOBS)
    assert "secrets" not in TEXT
    assert "pull_request_target" not in TEXT


def test_pinned() -> None:
    """Each action is GitHub's own, pinned to a commit with its version. Each job has a machine and a time limit."""
    lines = re.findall(r"uses: (.*)", TEXT)
    assert lines
    assert [line for line in lines if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []
    assert all("latest" not in job["runs-on"] and 0 < job["timeout-minutes"] <= 60 for job in JOBS.values())


def test_superseded_runs_end() -> None:
    """A newer push to a pull request ends the run before it, but runs of main continue."""
    assert WORKFLOW["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    assert "github.ref" in WORKFLOW["concurrency"]["group"]


def test_cache() -> None:
    """The cache is the folder that tests fill, and its key changes with the pinned versions."""
    steps = [step["with"] for job in JOBS.values() for step in job["steps"] if "cache@" in step.get("uses", "")]
    assert len(steps) == len(JOBS)
    for step in steps:
        assert step["path"] == "~/.cache/user-login-pipeline"
        patterns = re.findall(r"'([^']+)'", step["key"])
        assert all(list(ROOT.glob(pattern)) for pattern in patterns)
