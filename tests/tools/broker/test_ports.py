"""The choice of ports."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tools.broker import ports

ROOT = Path(__file__).parents[3]
RANGE = range(28000, 28009)
"""Few enough for two choices of four to share one, if nothing prevented it."""
CHOOSE = f"""
import json
from tools.broker import ports
ports._PORTS = {RANGE!r}
print(json.dumps([ports.free_port() for _ in range(4)]))
"""


def test_never_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No port is chosen twice, in one process or in two, although nothing listens on the chosen ones yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # this test's own locks
    monkeypatch.setattr(ports, "_locks", cache(ports._locks.__wrapped__))
    monkeypatch.setattr(ports, "_PORTS", RANGE)
    chosen = [ports.free_port() for _ in range(4)]
    other = subprocess.run([sys.executable, "-c", CHOOSE], cwd=ROOT, capture_output=True, check=True)
    assert len({*chosen, *json.loads(other.stdout)}) == 8
