"""What Linux says of a process in /proc: what it uses, and whether it handles SIGTERM."""

import os
import signal
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """CPU seconds of all threads, resident bytes now and at most, open files, threads."""

    cpu: float
    rss: int
    peak: int
    files: int
    threads: int


def usage(pid: int) -> Usage | None:
    """Return what a process uses, or None if it has ended or there is no /proc."""
    folder = Path(f"/proc/{pid}")
    try:
        status = _status(pid)
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        files = len(os.listdir(folder / "fd"))  # noqa: PTH208  (only how many)
        rss, peak = (int(status[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError):
        return None
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Usage(cpu, rss, peak, files, int(status["Threads"]))


def handles_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM, or has ended."""
    try:
        caught = int(_status(pid).get("SigCgt", "0"), 16)
    except OSError:
        return True
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)
