"""The workflow, Renovate's settings and docker-compose.yml are valid by the schemas of check-jsonschema."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = {
    "vendor.github-workflows": ROOT / ".github/workflows/ci.yml",
    "vendor.renovate": ROOT / ".github/renovate.json",
    "vendor.compose-spec": ROOT / "docker-compose.yml",
}
"""Compose overrides are left out: the schema has no `!override`. tests/compose lets docker compose read them."""

MISTAKES = [
    ("vendor.github-workflows", "timeout-minutes:", "timeout-minute:", "('timeout-minute' was unexpected)"),
    ("vendor.renovate", '"enabled": false', '"enabled": "no"', "'no' is not of type 'boolean'"),
    ("vendor.compose-spec", "healthcheck:", "healthchek:", "('healthchek' was unexpected)"),
]


def problems(schema: str, file: Path) -> str:
    """The errors that check-jsonschema finds in a file, or an empty text if it is valid."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("schema", FILES)
def test_valid(schema: str) -> None:
    """Each file is valid by its format's schema."""
    assert problems(schema, FILES[schema]) == ""


@pytest.mark.parametrize(("schema", "right", "wrong", "why"), MISTAKES)
def test_mistakes_are_found(schema: str, right: str, wrong: str, why: str, tmp_path: Path) -> None:
    """The schema finds a misspelt key and a value of another type."""
    file = FILES[schema]
    text = file.read_text()
    assert right in text
    broken = tmp_path / file.name
    broken.write_text(text.replace(right, wrong, 1))
    assert why in problems(schema, broken)
