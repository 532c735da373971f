"""Rules on the code's structure, read from its syntax trees: who may import tests, and class names."""

import ast
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COPIES = {"deploy/quix/pipeline/pipeline.py"}  # of pipeline.py: Quix Cloud's build cannot see the top level


def modules() -> list[str]:
    """The Python files of the repository, except the tests."""
    command = ["git", "ls-files", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if not name.startswith("tests/") and name not in COPIES and (ROOT / name).exists()]


def imported(source: str) -> Iterator[str]:
    """The names of the modules that a source imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("name", modules())
def test_only_tests_import_tests(name: str) -> None:
    """Nothing outside tests/ imports from tests/."""
    assert [found for found in imported((ROOT / name).read_text()) if found.split(".")[0] == "tests"] == []


@pytest.mark.parametrize("line", ["import tests.wire", "from tests.kafka import Kafka", "def f():\n    import tests"])
def test_imports_are_found(line: str) -> None:
    """Each form of import is found, also inside a function."""
    assert [found.split(".")[0] for found in imported(line)] == ["tests"]


def test_class_names_differ() -> None:
    """No two public classes have the same name."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name in modules():
        for node in ast.parse((ROOT / name).read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
