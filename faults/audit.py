"""`pipeline.py verify` beside the check by id: along with the faults, and once more when all is done."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faults.workers import ROOT

_COUNTS = ("checked", "pending", "lost", "duplicated", "reordered", "wrong", "skipped")
_WITHIN = 600.0  # seconds for the verdict


class AuditFailed(Exception):
    """The audit gave no verdict."""


class Audit:
    """One run of tools.verify with these options; with `--follow` it goes on until `verdict` is asked for."""

    def __init__(self, environment: Mapping[str, str], folder: Path, *options: str) -> None:
        self._follow = "--follow" in options
        self._errors = folder / f"verify-{'follow' if self._follow else 'final'}.log"
        self._lines = self._errors.with_suffix(".json")
        with self._errors.open("wb") as errors, self._lines.open("wb") as lines:
            self._process = subprocess.Popen(
                [sys.executable, "pipeline.py", "verify", "--json", *options],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=errors,
                start_new_session=True,
            )

    def verdict(self) -> dict[str, Any]:
        """What it found: `total`, `ok`, and the partitions that are not well.

        Raises:
            AuditFailed: it ended without a verdict, or gave none within ten minutes.
        """
        if self._follow:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_WITHIN)
        except subprocess.TimeoutExpired:
            raise AuditFailed(f"tools.verify gave no verdict within {_WITHIN:.0f} s") from None
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
        self._process.kill()
        self._process.wait()
