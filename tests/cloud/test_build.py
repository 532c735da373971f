"""The build on Quix Cloud: an application's folder and its includedFolders have all that the image needs."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline import COMMANDS

ROOT = Path(__file__).parent.parent.parent
APPLICATIONS = ["generator", "pipeline"]


def folder(application: str) -> Path:
    """An application's folder, from the repository's root."""
    return Path("deploy", "quix", application)


def test_lock() -> None:
    """Both images install the one lock of the pipeline's packages, which app.yaml includes."""
    for application in APPLICATIONS:
        app = yaml.safe_load((ROOT / folder(application) / "app.yaml").read_text())
        assert "requirements" in app["includedFolders"]
        assert "COPY requirements/pipeline.lock" in (ROOT / folder(application) / "dockerfile").read_text()
    assert len(list(ROOT.glob("requirements/pipeline.lock")) + list((ROOT / "deploy").rglob("*.lock"))) == 1


def build(application: str, context: Path, image: Path) -> list[str]:
    """Copy files from the context to the image, as the dockerfile's last stage does. Return the entry point."""
    entry: list[str] = []
    work = image
    for line in (context / folder(application) / "dockerfile").read_text().replace("\\\n", "").splitlines():
        match shlex.split(line, comments=True):
            case ["FROM", *_]:
                shutil.rmtree(image, ignore_errors=True)
                image.mkdir()
            case ["WORKDIR", path]:
                work = image / path.lstrip("/")
            case ["COPY", source, target] if not source.startswith("--from="):
                (copied := work / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                if (context / source).is_dir():
                    shutil.copytree(context / source, copied)
                else:
                    copied.mkdir(exist_ok=True)
                    shutil.copy(context / source, copied)
            case ["ENTRYPOINT", *_]:
                entry = yaml.safe_load(line.removeprefix("ENTRYPOINT"))
    return entry


@pytest.mark.parametrize(
    ("application", "command"),
    [(name, []) for name in APPLICATIONS] + [("pipeline", [command]) for command in COMMANDS],
)
def test_build_context(application: str, command: list[str], tmp_path: Path) -> None:
    """The image gets all that its entry point and its commands need, from only the folders that the build sees."""
    context, image = tmp_path / "context", tmp_path / "image"
    app = yaml.safe_load((ROOT / folder(application) / "app.yaml").read_text())
    for part in (folder(application), *app["includedFolders"]):
        shutil.copytree(ROOT / part, context / part, ignore=shutil.ignore_patterns("__pycache__"))
    python, *script = build(application, context, image)

    run = subprocess.run(
        [sys.executable, *script, *command, "--help"],
        cwd=image / "app",
        env=os.environ | {"PYTHONPATH": str(image / "app")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert python == "python"
    assert run.returncode == 0, run.stderr
    assert "usage: " in run.stdout


@pytest.mark.parametrize("application", APPLICATIONS)
def test_entry_point(application: str) -> None:
    """The entry point in app.yaml is the image's. It and the dockerfile are in the application's folder."""
    app = yaml.safe_load((ROOT / folder(application) / "app.yaml").read_text())
    for name in ("dockerfile", "runEntryPoint", "defaultFile"):
        assert (ROOT / folder(application) / app[name]).is_file()
    assert app["runEntryPoint"] in (ROOT / folder(application) / "dockerfile").read_text().splitlines()[-1]


def test_copy() -> None:
    """The application's folder has an up-to-date copy of pipeline.py, because the build cannot see top-level files."""
    copy = ROOT / folder("pipeline") / "pipeline.py"
    assert copy.read_bytes() == (ROOT / "pipeline.py").read_bytes(), "run `make quix`"
