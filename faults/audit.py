"""Runs `python pipeline.py verify`, the second check: during the faults, and again at the end."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faults.workers import ROOT
from tools.child_process import ChildProcess

_COUNTS = ("checked", "pending", "lost", "duplicated", "reordered", "wrong", "skipped")
_TIMEOUT = 600.0  # seconds for the verdict


class AuditFailed(Exception):
    """The audit gave no verdict."""


class Audit:
    """One run of tools.verify with these options. With `--follow`, it runs until `verdict` is called."""

    def __init__(self, environment: Mapping[str, str], folder: Path, *options: str) -> None:
        self._follow = "--follow" in options
        self._errors = folder / f"verify-{'follow' if self._follow else 'final'}.log"
        self._lines = self._errors.with_suffix(".json")
        with self._errors.open("wb") as errors, self._lines.open("wb") as lines:
            command = [sys.executable, "pipeline.py", "verify", "--json", *options]
            self._process = ChildProcess(command, env=environment, cwd=ROOT, stdout=lines, stderr=errors)

    def verdict(self) -> dict[str, Any]:
        """Its result: `total`, `ok`, and the partitions with faults.

        Raises:
            AuditFailed: it ended without a verdict, or gave none within ten minutes.
        """
        if self._follow:
            self._process.terminate()
        try:
            self._process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AuditFailed(f"tools.verify gave no verdict within {_TIMEOUT:.0f} s") from None
        lines = self._lines.read_text().splitlines()
        final = json.loads(lines[-1]) if lines else {}
        if not final.get("final"):
            tail = self._errors.read_text(errors="replace").splitlines()[-3:]
            raise AuditFailed(f"tools.verify ended with {self._process.returncode}: {' / '.join(tail)}")
        total = {name: final["total"].get(name, 0) for name in _COUNTS}
        faulty = [found for found in final["partitions"] if any(found["examples"].values())]
        return {"ok": final["ok"], "total": total, "faulty": faulty}

    def close(self) -> None:
        """Kill it, if it still runs."""
        self._process.end()
