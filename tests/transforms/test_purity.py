"""The transforms are pure: importable by others, without Kafka, logs, clock, environment or I/O."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import transforms

PACKAGE = Path(transforms.__file__).parent
MODULES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "testing.py"})
ALLOWED = {
    *("__future__", "base64", "collections.abc", "enum", "functools", "hashlib", "itertools", "json"),
    *("operator", "re", "threading", "typing", "msgspec"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
LOADED = """
import sys
import transforms
assert transforms.upper_device_type(b'{"device_type": "ios"}') == b'{"device_type": "IOS"}'
assert transforms.upper_device_type(b'{').reason == "invalid_json"
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports(module: Path) -> None:
    """Each module imports only from a short list of pure modules, and from its own package."""
    imported = {name for node in ast.walk(ast.parse(module.read_text("utf-8"))) for name in _imported(node)}

    assert {name for name in imported if not _is_own(name)} <= ALLOWED


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_calls(module: Path) -> None:
    """No module opens, prints or imports anything by a built-in function."""
    names = {node.id for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Name)}

    assert names.isdisjoint(IMPURE_CALLS)


def test_nothing_else_is_loaded() -> None:
    """Importing and calling the transform loads neither Kafka nor logging nor any other part of the pipeline."""
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=PACKAGE.parent, capture_output=True, text=True, check=True, timeout=60
    )

    assert loaded.stderr == ""
    assert {"transforms", "msgspec"} <= set(loaded.stdout.split())
    assert {
        *("confluent_kafka", "quixstreams", "loguru", "logging", "pydantic", "dotenv"),
        *("runtime", "tools", "pipeline", "socket", "asyncio", "random", "hypothesis"),
    }.isdisjoint(loaded.stdout.split())


def test_public_names() -> None:
    """The package exports the transform, its results and the parts of transforms, and nothing else."""
    assert sorted(transforms.__all__) == [
        "FirstTransform",
        "Malformed",
        "NESTING_LIMIT",
        "Reason",
        "Transform",
        "chain",
        "original",
        "refused_timestamp",
        "replace_member",
        "too_large",
        "upper_device_type",
    ]
    assert all(hasattr(transforms, name) for name in transforms.__all__)
    assert transforms.NESTING_LIMIT == 128


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [str(node.module)]
    return []


def _is_own(name: str) -> bool:
    return name == "transforms" or name.startswith("transforms.")
