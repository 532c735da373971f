"""The image: what is in it and what is not, its size, who runs in it."""

import json
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from runtime import __version__
from tests.compose.stack import ROOT, docker_json, run

BASE = "python:3.13-slim"
MOST = 200.0
"""Megabytes that the image may take above its base."""

SECRET = "not-to-be-found-anywhere"


@pytest.fixture(scope="module")
def facts(image: str) -> dict[str, Any]:
    """What `docker inspect` says of it."""
    (found,) = docker_json("image", "inspect", image)
    assert isinstance(found, dict)
    return found


def in_image(image: str, *command: str) -> str:
    """What a command prints in a container of the image that may write nowhere and has no network."""
    return run(["docker", "run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL", image, *command])


def test_size(image: str) -> None:
    """It takes less than 200 MB above its base; how much, the README says (give or take the processor's wheels).

    What `docker inspect` calls an image's size is compressed with some engines, and not with others.
    """
    total = in_image(image, "du", "--summarize", "--bytes", "--total", "/opt/packages", "/app").splitlines()[-1]
    size = int(total.split()[0]) / 1e6
    stated = re.search(r"The image takes (\d+) MB above `(.+?)`", (ROOT / "README.md").read_text())
    assert stated is not None
    assert stated[2] == BASE
    assert size == pytest.approx(int(stated[1]), rel=0.15)
    assert size < MOST


def test_user(image: str) -> None:
    """It runs as a user of its own, without root's id, by number, as Kubernetes wants to see it."""
    assert in_image(image, "id", "-u") == "10001\n"
    assert in_image(image, "id", "-g") == "10001\n"


def test_labels(facts: dict[str, Any]) -> None:
    """Its labels are the project's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in facts["Config"]["Labels"].items()}
    assert labels["title"] == project["name"]
    assert labels["description"] == project["description"]
    assert labels["version"] == __version__
    assert labels["licenses"] == project["license"]
    assert labels["base.name"].endswith(f"/{BASE}")
    assert f"{project['name']}:{__version__}" in facts["RepoTags"]


def test_files(image: str) -> None:
    """Of the repository, it holds what the two programs need and nothing else: no .env, no tests, no .git."""
    found = set(in_image(image, "find", "/app", "-type", "f", "-not", "-name", "*.pyc").split())
    folders = ("runtime", "transforms", "tools/generator")
    wanted = {ROOT / "pipeline.py", ROOT / "tools/__init__.py"}
    wanted |= {file for folder in folders for file in (ROOT / folder).rglob("*.py")}
    assert found == {f"/app/{file.relative_to(ROOT)}" for file in wanted}


def test_packages(image: str) -> None:
    """Its packages are those of the hashed lock."""
    script = (
        "from importlib.metadata import distributions as d; print(*{f'{x.name}=={x.version}'.lower() for x in d()})"
    )
    installed = set(in_image(image, "/opt/packages/bin/python", "-I", "-c", script).replace("_", "-").split())
    lines = (ROOT / "requirements/pipeline.lock").read_text().splitlines()
    pins = [Requirement(line.removesuffix(" \\")) for line in lines if "==" in line and line[0].isalnum()]
    locked = {f"{pin.name}{pin.specifier}" for pin in pins if pin.marker is None or pin.marker.evaluate()}
    assert {line for line in installed if line.startswith(("pip==", "setuptools=="))} == set()
    assert installed == locked


def test_build_arguments_stay_out(image: str) -> None:
    """A platform may give every variable, secrets included, to the build: nothing of them gets into the image."""
    name = f"{image}-told"
    secret = f"BROKER_SASL_PASSWORD={SECRET}"
    run(["docker", "build", "--quiet", "--file", "dockerfile", "--build-arg", secret, "--tag", name, "."])
    try:
        history = run(["docker", "history", "--no-trunc", name])
        told = json.dumps(docker_json("image", "inspect", name))
        assert SECRET not in history + told + in_image(name, "env")
    finally:
        run(["docker", "image", "rm", name])


def test_one_layer_for_packages(image: str) -> None:
    """A change of the code leaves the layer with the packages, by far the largest, as it is."""
    history = run(["docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image]).splitlines()
    (packages,) = (number for number, line in enumerate(history) if "COPY /opt/packages" in line)
    assert all(number < packages for number, line in enumerate(history) if "/app/" in line and "COPY" in line)


def test_broker_missing(image: str) -> None:
    """Without a broker, and where nothing may be written, its help is there: nothing is needed but the image."""
    assert "Its settings are environment variables" in in_image(image, "python", "/app/pipeline.py", "--help")
    assert "--follow" in in_image(image, "python", "/app/pipeline.py", "verify", "--help")
    assert "RATE" in in_image(image, "python", "-m", "tools.generator", "--help")
