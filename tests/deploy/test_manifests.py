"""The manifests that all overlays share are valid by the schemas of kubernetes-validate."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate

from tests.deploy.conftest import KUBERNETES

VERSIONS = ("1.35", "1.37")
"""The oldest and the newest version of Kubernetes that is maintained."""

MANIFESTS = sorted(set((KUBERNETES / "base").iterdir()) - {KUBERNETES / "base/kustomization.yaml"})
DEPLOYMENT, BUDGET = (KUBERNETES / "base" / f"{name}.yaml" for name in ("deployment", "poddisruptionbudget"))
MISTAKES = [
    (DEPLOYMENT, "minReadySeconds: 10", "minReadySecond: 10", "'minReadySecond' was unexpected"),
    (DEPLOYMENT, "periodSeconds: 10", "periodSeconds: often", "'often' is not of type 'integer'"),
    (DEPLOYMENT, "maxSkew: 1", "maxskew: 1", "'maxSkew' is a required property"),
    (BUDGET, "AlwaysAllow", "[AlwaysAllow]", "['AlwaysAllow'] is not of type 'string'"),
    (BUDGET, "kind: PodDisruptionBudget", "kind: PodDisruptionBudgets", "PodDisruptionBudgets"),
]


def problem(manifest: Any, version: str) -> str:
    """The error in a manifest, unknown fields included, or an empty text if it is valid."""
    try:
        validate(manifest, version, strict=True)
    except (ValidationError, SchemaNotFoundError) as error:
        return str(error.message)
    return ""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_valid(path: Path, version: str) -> None:
    """Kubernetes knows every field, in the oldest and the newest version that is maintained."""
    assert problem(yaml.safe_load(path.read_text()), version) == ""


@pytest.mark.parametrize(("path", "right", "wrong", "why"), MISTAKES)
def test_mistakes_are_found(path: Path, right: str, wrong: str, why: str) -> None:
    """A misspelt field, a value of another type and an unknown kind are found, at every depth."""
    text = path.read_text()
    assert right in text
    assert why in problem(yaml.safe_load(text.replace(right, wrong, 1)), VERSIONS[-1])
