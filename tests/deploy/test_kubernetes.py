"""The overlays in deploy/kubernetes, as kustomize renders them: objects, settings, image, number of workers."""

import re
from pathlib import Path

import pytest

from runtime import __version__
from runtime.settings import Settings
from tests.deploy.conftest import KUBERNETES, Rendered, render
from tests.deploy.test_manifests import VERSIONS, problem

pytestmark = pytest.mark.long

NAMES = {str(field.validation_alias) for field in Settings.model_fields.values()}
SECRETS = {
    str(field.validation_alias) for field in Settings.model_fields.values() if "SecretStr" in str(field.annotation)
} | {"BROKER_SASL_USERNAME"}


@pytest.mark.parametrize("version", VERSIONS)
def test_valid(overlay: Rendered, version: str) -> None:
    """Kubernetes knows every object and every field, in the oldest and the newest version that is maintained."""
    assert [text for item in overlay.objects.values() if (text := problem(item, version))] == []


def test_kinds(overlay: Rendered) -> None:
    """An overlay has a Deployment, a ConfigMap and a PodDisruptionBudget, all labelled, and never a Secret."""
    assert sorted(overlay.objects) == ["ConfigMap", "Deployment", "PodDisruptionBudget"]
    for item in overlay.objects.values():
        metadata = item["metadata"]
        assert metadata["labels"] == {"app.kubernetes.io/name": "user-login-pipeline"}


def test_selectors(overlay: Rendered) -> None:
    """The Deployment, its budget and its spread over nodes and zones select the Deployment's pods."""
    deployment = overlay.objects["Deployment"]
    budget = overlay.objects["PodDisruptionBudget"]
    spread = overlay.pod["topologySpreadConstraints"]
    selectors = [
        deployment["spec"]["selector"],
        budget["spec"]["selector"],
        *(rule["labelSelector"] for rule in spread),
    ]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert [selector["matchLabels"] for selector in selectors] == [labels] * len(selectors)
    assert [rule["topologyKey"] for rule in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_settings(overlay: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is a setting, the ConfigMap has no secrets, and the pipeline accepts the values."""
    plain = overlay.settings
    secret = [variable["name"] for variable in overlay.container.get("env", [])]
    assert set(plain) | set(secret) <= NAMES
    assert not set(plain) & SECRETS
    assert set(secret) <= SECRETS
    authority = tmp_path / "ca.crt"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**plain, **dict.fromkeys(secret, "x")}.items():
        monkeypatch.setenv(name, str(authority) if name == "BROKER_SSL_CA_LOCATION" else value)
    settings = Settings.load()
    assert settings.address
    assert settings.log_format == "json"


def test_settings_reach_the_container(overlay: Rendered) -> None:
    """The container uses the ConfigMap by its name with a hash, so that changed settings restart it."""
    metadata = overlay.objects["ConfigMap"]["metadata"]
    assert overlay.container["envFrom"] == [{"configMapRef": {"name": metadata["name"]}}]
    assert re.fullmatch(r"user-login-pipeline-[a-z0-9]{10}", metadata["name"])


def test_credentials() -> None:
    """Production takes credentials and the CA certificate from a secret. The file is at its configured path."""
    rendered = render(KUBERNETES / "overlays" / "production")
    named = [variable["valueFrom"]["secretKeyRef"] for variable in rendered.container["env"]]
    (volume,), (mount,) = rendered.pod["volumes"], rendered.container["volumeMounts"]
    assert {reference["name"] for reference in named} == {volume["secret"]["secretName"]}
    assert mount["name"] == volume["name"]
    files = [f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]]
    assert files == [rendered.settings["BROKER_SSL_CA_LOCATION"]]
    assert rendered.settings["BROKER_SECURITY_PROTOCOL"] == "sasl_ssl"


def test_image(overlay: Rendered) -> None:
    """The image has the tag of this version."""
    repository, _, tag = overlay.container["image"].rpartition(":")
    assert repository.endswith("user-login-pipeline")
    assert tag == __version__


WORKERS = {"development": 1, "production": 4}


def test_workers(overlay: Rendered, request: pytest.FixtureRequest) -> None:
    """Updates and node drains replace workers one by one, and never exceed their usual number."""
    deployment = overlay.objects["Deployment"]
    budget = overlay.objects["PodDisruptionBudget"]
    name = request.node.callspec.params["overlay"]
    assert deployment["spec"].get("replicas", 1) == WORKERS[name]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert budget["spec"]["maxUnavailable"] == 1
