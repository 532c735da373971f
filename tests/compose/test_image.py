"""The image: its size, user, labels, files and packages."""

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
    """The output of `docker inspect` for the image."""
    (found,) = docker_json("image", "inspect", image)
    assert isinstance(found, dict)
    return found


CONTAINER = ["docker", "run", "--rm", "--read-only", "--network=none", "--cap-drop=ALL"]


def in_image(image: str, *command: str) -> str:
    """Return the output of a program in a container of the image that may write nowhere and has no network."""
    return run([*CONTAINER, "--entrypoint", command[0], image, *command[1:]])


def test_size(image: str) -> None:
    """The image takes less than 200 MB above its base, and about as much as README.md states.

    The size depends on the processor's wheels. Some engines report an image's size compressed, so files are counted.
    """
    total = in_image(image, "du", "--summarize", "--bytes", "--total", "/opt/packages", "/app").splitlines()[-1]
    size = int(total.split()[0]) / 1e6
    stated = re.search(r"The image takes (\d+) MB above `(.+?)`", (ROOT / "README.md").read_text())
    assert stated is not None
    assert stated[2] == BASE
    assert size == pytest.approx(int(stated[1]), rel=0.15)
    assert size < MOST


def test_user(image: str) -> None:
    """The image runs as its own user, not root, given by number as Kubernetes requires."""
    assert in_image(image, "id", "-u") == "10001\n"
    assert in_image(image, "id", "-g") == "10001\n"


def test_labels(facts: dict[str, Any]) -> None:
    """The image's labels are the project's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in facts["Config"]["Labels"].items()}
    assert labels["title"] == project["name"]
    assert labels["description"] == project["description"]
    assert labels["version"] == __version__
    assert labels["licenses"] == project["license"]
    assert labels["base.name"].endswith(f"/{BASE}")
    assert f"{project['name']}:{__version__}" in facts["RepoTags"]


def test_files(image: str) -> None:
    """The image has only the files that the two programs need: no .env, no tests, no .git."""
    found = set(in_image(image, "find", "/app", "-type", "f", "-not", "-name", "*.pyc").split())
    folders = ("runtime", "transforms", "tools/check", "tools/generator", "tools/replay", "tools/tail", "tools/verify")
    tools = ("__init__.py", "printable.py", "try_transforms.py")
    wanted = {ROOT / "pipeline.py", ROOT / "runtime/observe/page.html", *(ROOT / "tools" / name for name in tools)}
    wanted |= {file for folder in folders for file in (ROOT / folder).rglob("*.py")}
    assert found == {f"/app/{file.relative_to(ROOT)}" for file in wanted}


def test_packages(image: str) -> None:
    """The image's packages are those of the hashed lock."""
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
    """Build arguments do not get into the image, as a platform may pass its secrets that way."""
    name = f"{image}-arguments"
    secret = f"BROKER_SASL_PASSWORD={SECRET}"
    run(["docker", "build", "--quiet", "--file", "dockerfile", "--build-arg", secret, "--tag", name, "."])
    try:
        history = run(["docker", "history", "--no-trunc", name])
        metadata = json.dumps(docker_json("image", "inspect", name))
        assert SECRET not in history + metadata + in_image(name, "env")
    finally:
        run(["docker", "image", "rm", name])


def test_one_layer_for_packages(image: str) -> None:
    """A change of the code does not change the layer with the packages, which is by far the largest."""
    history = run(["docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image]).splitlines()
    (packages,) = (number for number, line in enumerate(history) if "COPY /opt/packages" in line)
    assert all(number < packages for number, line in enumerate(history) if "/app/" in line and "COPY" in line)


def test_broker_missing(image: str) -> None:
    """The programs' help needs only the image: no broker, no network, no writable folder."""
    assert "docs/settings.md" in run([*CONTAINER, image, "--help"])
    assert "--follow" in run([*CONTAINER, image, "verify", "--help"])
    assert "--malformed" in run([*CONTAINER, image, "tail", "--help"])
    assert "--whole" in run([*CONTAINER, image, "try", "--help"])
    assert "RATE" in in_image(image, "python", "-m", "tools.generator", "--help")
