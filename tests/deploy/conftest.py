"""The manifests of each overlay, as kustomize renders them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.kustomize import kustomize_build

ROOT = Path(__file__).parent.parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())


class Rendered:
    """The rendered objects of one overlay by kind, one of each."""

    def __init__(self, text: str) -> None:
        objects = list(yaml.safe_load_all(text))
        self.objects: dict[str, Any] = {item["kind"]: item for item in objects}
        assert len(self.objects) == len(objects)
        self.pod: Any = self.objects["Deployment"]["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.settings: dict[str, str] = self.objects["ConfigMap"]["data"]


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Rendered:
    """Each overlay in turn."""
    return render(KUBERNETES / "overlays" / request.param)


def render(folder: Path) -> Rendered:
    """Render a folder with kustomize."""
    return Rendered(kustomize_build(folder))
