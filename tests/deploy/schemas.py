"""Kubernetes' JSON schemas of the kinds that deploy/ uses, brought once into the cache folder, checked by sha256."""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.broker.download import cache_folder

LOCK = Path(__file__).with_name("schemas.lock")

VERSIONS = ("1.35.0", "1.37.0")
"""Of Kubernetes: the oldest and the newest that are maintained."""

LOCATION = "{{.NormalizedKubernetesVersion}}-local{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json"
"""Where kubeconform finds a kind's schema in the folder."""

_KINDS = ("configmap-v1", "deployment-apps-v1", "poddisruptionbudget-policy-v1", "_definitions")


def schemas() -> Path:
    """The folder that has them; fetches them if need be."""
    lock = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"kubernetes-schemas-{lock}"
    if not folder.is_dir():
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", temporary]
        subprocess.run([*command, "--requirement", str(LOCK)], check=True)
        (wheel,) = Path(temporary).glob("*.whl")
        extracted = Path(temporary) / "schemas"
        with zipfile.ZipFile(wheel) as archive:
            for version in VERSIONS:
                for kind in _KINDS:
                    name = f"v{version}-local-strict/{kind}.json"
                    schema = archive.read(f"kubernetes_validate/kubernetes-json-schema/{name}")
                    (extracted / name).parent.mkdir(parents=True, exist_ok=True)
                    (extracted / name).write_text(_beside_each_other(schema))
        extracted.rename(folder)


def _beside_each_other(schema: bytes) -> str:
    """The schema with its references to the file beside it, in place of an address on the web."""
    content = json.loads(schema)
    content.pop("$id")
    return json.dumps(content).replace('"/api/_definitions.json#', '"_definitions.json#')
