"""The structure of runtime/ and transforms/: unique names, and a test file for each file."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(file for folder in ("runtime", "transforms") for file in (ROOT / folder).rglob("*.py"))
RUNTIME = [file.relative_to(ROOT / "runtime") for file in FILES if file.is_relative_to(ROOT / "runtime")]


def test_class_names() -> None:
    """No two public classes have the same name."""
    names = Counter(
        node.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert len(names) > 20
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("file", [file for file in RUNTIME if file.name != "__init__.py"], ids=str)
def test_test_file(file: Path) -> None:
    """Each file of runtime/ has its test file in tests/runtime/."""
    assert (ROOT / "tests" / "runtime" / file.parent / f"test_{file.name}").is_file()
