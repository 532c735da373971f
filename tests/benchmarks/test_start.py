"""The benchmark of imports. The rest of the start needs a broker: `make bench` measures it."""

from pathlib import Path

import pytest

from benchmarks.start import measure_import


def test_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import takes the module's time. Waiting is not CPU time, and the bytecode is cached for the next import."""
    (tmp_path / "waits.py").write_text("import time\ntime.sleep(0.3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = measure_import("waits")
    assert found["import_s"] >= 0.3
    assert 0 < found["import_cpu_s"] < found["import_s"] - 0.2
    assert list(tmp_path.glob("__pycache__/waits.*.pyc"))
