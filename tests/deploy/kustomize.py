"""Renders the overlays with kustomize, which is built once from its pinned source into the cache folder."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tools.broker.files import cache_folder

MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2"
_BUILD_TIMEOUT = 900.0  # seconds; kustomize takes 90 on two cores
_GO_IS_TOO_OLD = re.compile(r"requires go >= \S+ .*|invalid go version.*")


def kustomize_build(folder: Path) -> str:
    """Return the output of `kustomize build` for a folder. Skip the test if Go is missing or too old."""
    executable = cache_folder() / "go-tools" / f"kustomize-{MODULE.rpartition('@')[2]}"
    if not executable.is_file():
        _build(executable)
    done = subprocess.run([executable, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _build(executable: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on the PATH to build kustomize with")
    executable.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=executable.parent) as folder:
        built = subprocess.run(
            [go, "install", MODULE],
            env={**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT,
            check=False,
        )
        if too_old := _GO_IS_TOO_OLD.search(built.stderr):
            pytest.skip(f"the Go on the PATH cannot build kustomize: {too_old[0]}")
        assert built.returncode == 0, f"go install {MODULE}:\n{built.stderr[-2000:]}"
        (Path(folder) / "kustomize").replace(executable)  # another process may do the same
