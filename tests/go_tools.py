"""Checkers written in Go, built once from pinned modules into the cache folder; tests are skipped where no Go is."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tools.broker.download import cache_folder

MODULES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2",
}
_BUILD_TIMEOUT = 900.0  # seconds; kustomize takes 90 on two cores
_GO_IS_TOO_OLD = re.compile(r"requires go >= \S+ .*|invalid go version.*")


def go_tool(name: str) -> Path:
    """The tool's executable, built if need be; skips the test where there is no Go, or one too old for the module."""
    module = MODULES[name]
    version = module.rpartition("@")[2]
    executable = cache_folder() / "go-tools" / f"{name}-{version}"
    if not executable.is_file():
        go = shutil.which("go")
        if go is None:
            pytest.skip(f"no Go on the PATH to build {name} with")
        executable.parent.mkdir(exist_ok=True)
        _build(go, module, name, executable)
    return executable


def _build(go: str, module: str, name: str, executable: Path) -> None:
    with tempfile.TemporaryDirectory(dir=executable.parent) as folder:
        built = subprocess.run(
            [go, "install", module],
            env={**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT,
            check=False,
        )
        if too_old := _GO_IS_TOO_OLD.search(built.stderr):
            pytest.skip(f"the Go on the PATH can't build {name}: {too_old[0]}")
        assert built.returncode == 0, f"go install {module}:\n{built.stderr[-2000:]}"
        (Path(folder) / name).replace(executable)  # another process may do the same
