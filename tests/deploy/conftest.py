"""The manifests of each overlay, as kustomize renders them, and kubeconform to judge manifests with."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.schemas import LOCATION, schemas
from tests.go_tools import go_tool

ROOT = Path(__file__).parent.parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())

Judge = Callable[[str, str], tuple[bool, str]]
"""From YAML and a version of Kubernetes to whether it is valid, and what kubeconform says."""


class Rendered:
    """What one overlay comes to: the YAML, and its objects by kind, of which there is one each."""

    def __init__(self, text: str) -> None:
        self.text = text
        objects = list(yaml.safe_load_all(text))
        self.objects: dict[str, Any] = {item["kind"]: item for item in objects}
        assert len(self.objects) == len(objects)
        self.pod: Any = self.objects["Deployment"]["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.settings: dict[str, str] = self.objects["ConfigMap"]["data"]


@pytest.fixture(scope="session")
def kubeconform() -> Judge:
    """Judges manifests by Kubernetes' schemas, offline; fields that a schema doesn't know are wrong."""
    executable, folder = go_tool("kubeconform"), schemas()

    def judge(text: str, version: str) -> tuple[bool, str]:
        options = ["-strict", "-summary", "-kubernetes-version", version, "-schema-location", f"{folder}/{LOCATION}"]
        done = subprocess.run([executable, *options], input=text, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    return judge


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Rendered:
    """Each overlay in turn."""
    return render(KUBERNETES / "overlays" / request.param)


def render(folder: Path) -> Rendered:
    """What kustomize makes of a folder."""
    done = subprocess.run([go_tool("kustomize"), "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Rendered(done.stdout)
