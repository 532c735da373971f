"""docs/transforms.md: its example, followed in a copy of the project."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = re.findall(r"```python\n(.*?)```", (ROOT / "docs/transforms.md").read_text("utf-8"), re.DOTALL)
FOLDERS = [file.parent.name for file in ROOT.glob("*/__init__.py")]
CHECKED = [
    "pipeline.py",
    "transforms",
    "tests/transforms",
    "tests/parity/run_pipeline.py",
    "tests/pipeline/run_watched.py",
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after the page's three steps."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "pipeline.py", "README.md"):
        shutil.copy(ROOT / file, copy / file)
    transform, named, test = PYTHON
    imported, assigned = named.strip().split("\n\n")
    pipeline = (copy / "pipeline.py").read_text("utf-8")
    if "mask_ip" not in pipeline:  # otherwise the repository already has the example
        (first_line,) = re.findall(r"^from transforms import .*\n", pipeline, re.MULTILINE)
        (before,) = re.findall(r"^TRANSFORMS\b.*", pipeline, re.MULTILINE)
        assert assigned.startswith(before.removesuffix(")"))
        pipeline = pipeline.replace(before, assigned).replace(first_line, f"{first_line}{imported}\n")
        (copy / "pipeline.py").write_text(pipeline, "utf-8")
    (copy / "transforms" / "mask.py").write_text(transform, "utf-8")
    (copy / "tests" / "transforms" / "test_mask.py").write_text(test, "utf-8")
    return copy


def run(copy: Path, *command: str) -> None:
    """Run a module in the copy, which must end with 0."""
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=copy, capture_output=True, text=True, timeout=1200, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check")])
def test_style(copy: Path, command: tuple[str, ...]) -> None:
    """The example passes the style checks."""
    run(copy, *command, *CHECKED)


@pytest.mark.long
def test_types(copy: Path) -> None:
    """The types are right, also if another file replaces TRANSFORMS."""
    run(copy, "mypy", "--follow-imports=silent", *CHECKED)


@pytest.mark.long
def test_tests(copy: Path) -> None:
    """The example's own tests pass, and so do those of all transforms and of what compares outputs."""
    others = ["tests/transforms", "tests/benchmarks/test_verify.py", "tests/tools/verify/test_manifest.py"]
    left_out = "wrong_file"  # it reads docs/errors.md, which the copy lacks
    run(copy, "pytest", "-n0", "-q", "-m", "not long", "-k", f"not {left_out}", *others)


def test_expected(copy: Path) -> None:
    """What the tests of the whole pipeline expect has the new transform in it."""
    code = copy / "expects.py"
    code.write_text(
        "from tests.kafka import Record\nfrom tests.pipeline.expected import expected\n"
        """value = expected(Record(None, b'{"ip": "192.0.2.7", "device_type": "ios"}')).value\n"""
        """assert value == b'{"ip": "192.0.2.0", "device_type": "IOS"}', value\n"""
    )
    run(copy, "expects")
    code.unlink()
