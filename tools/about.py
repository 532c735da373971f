"""What a run of the benchmark or of the faults ran on."""

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from tools.broker.download import KAFKA_VERSION


def about(*packages: str) -> dict[str, str]:
    """The date, the commit, the machine and the versions, those of some packages included."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kafka": KAFKA_VERSION,
        **{name: version(name) for name in ("quixstreams", "confluent-kafka", *packages)},
    }


def _commit() -> str:
    """The commit, with "-dirty" if files were changed, or "unknown" without Git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return answer.stdout.strip() or "unknown"
