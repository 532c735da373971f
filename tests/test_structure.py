"""The structure: few names in each folder, imports from higher to lower layers, unique class names, one version."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from runtime import __version__

ROOT = Path(__file__).parent.parent
NAMES_THE_VERSION = {
    "dockerfile": r'image\.version="(.+?)"',
    "docker-compose.yml": r"image: user-login-pipeline:(.+)",
    "deploy/kubernetes/overlays/development/kustomization.yaml": r'newTag: "(.+)"',
    "deploy/kubernetes/overlays/production/kustomization.yaml": r'newTag: "(.+)"',
    "deploy/kubernetes/README.md": r"-t user-login-pipeline:(\S+)",
    "docs/asyncapi.yaml": r"\n  version: (.+)",
    "CHANGELOG.md": r"\A(?:.|\n)*?\n## (\d\S+)",
}


RUNTIME = sorted(file.relative_to(ROOT / "runtime") for file in (ROOT / "runtime").rglob("*.py"))


def files(folder: str = "") -> list[str]:
    """The files of a folder that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", f"./{folder}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [file for file in found if (ROOT / file).exists()]


def names(folder: str = "") -> set[str]:
    """The entries of a folder that git does not ignore, except those that begin with a dot."""
    first = {file.removeprefix(folder).split("/")[0] for file in files(folder)}
    return {name for name in first if not name.startswith(".")}


def test_top_level() -> None:
    """The top level has at most 20 entries."""
    assert 10 < len(names()) <= 20


def test_runtime() -> None:
    """The top level of runtime/ has at most 9 units."""
    assert 5 < len(names("runtime/") - {"__init__.py"}) <= 9


def test_imports() -> None:
    """Imports go from higher layers to lower ones, without cycles, as pyproject.toml says."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    linted = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_first_lines() -> None:
    """The first line of a docstring, in the code and in the docs' examples, has no semicolon."""
    texts = {file: (ROOT / file).read_text("utf-8") for file in files() if file.endswith((".py", ".md"))}
    code = [
        (file, part)
        for file, text in texts.items()
        for part in ([text] if file.endswith(".py") else re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    ]
    found = []
    for file, part in code:
        for node in ast.walk(ast.parse(part)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                first = node.value.value.strip().partition("\n")[0]
                found += [f"{file}:{node.lineno}: {first}"] if ";" in re.sub("`[^`]*`", "", first) else []
    assert found == []


@pytest.mark.parametrize("file", [file for file in RUNTIME if file.name != "__init__.py"], ids=str)
def test_test_file(file: Path) -> None:
    """Each file of runtime/ has its test file in tests/runtime/."""
    assert (ROOT / "tests" / "runtime" / file.parent / f"test_{file.name}").is_file()


def test_package_data() -> None:
    """A wheel has each file of runtime/ that is no Python module."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = {f"{package.replace('.', '/')}/{name}" for package, own in project["package-data"].items() for name in own}
    others = {path for path in files("runtime/") if not path.endswith(".py")}
    assert listed == others != set()


def test_class_names() -> None:
    """No two public classes outside the tests have the same name."""
    found = Counter(
        node.name
        for folder in ("benchmarks", "faults", "runtime", "tools", "transforms")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert len(found) > 20
    assert [name for name, count in found.items() if count > 1] == []


@pytest.mark.parametrize("file", NAMES_THE_VERSION)
def test_version(file: str) -> None:
    """Each file that names this project's version names the one in runtime/__init__.py."""
    found = re.findall(NAMES_THE_VERSION[file], (ROOT / file).read_text())
    assert found == [__version__]


def test_make_lists_its_targets() -> None:
    """`make` without a target prints one line for each target in .PHONY."""
    command = ["make", "--no-print-directory"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text().replace("\\\n", ""), re.MULTILINE)
    assert targets is not None
    assert sorted(line.split()[1] for line in lines) == sorted(targets[1].split())
    assert all(len(line.split()) > 3 for line in lines)
