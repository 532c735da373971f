"""Asks for known vulnerabilities of all that the lock files name: `make audit`.

Ends with 1 for a finding. If the data cannot be reached, it says so in one line and ends with 0.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).parent.parent / "requirements"
LOCKS = sorted(set(_REQUIREMENTS.glob("*.lock")) - {_REQUIREMENTS / "pipeline.lock"})
"""The pipeline's own lock is left out: each of the others names its packages, too."""

WITHIN = 30.0  # seconds


def audit(lock: Path, *options: str, within: float = WITHIN) -> tuple[int, str]:
    """Ask pip-audit about the packages of a lock file with hashes.

    Args:
        lock: the file.
        options: pip-audit's options, in addition to those that are always given.
        within: the time limit in seconds.

    Returns:
        An exit code, 1 if a package has a known vulnerability, and what to print.
    """
    usual = ("-r", str(lock), "--disable-pip", "--progress-spinner=off", "--format=json", *options)
    command = [sys.executable, "-m", "pip_audit", *usual]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        return 0, f"not audited: no answer within {within:g} s"
    try:
        packages = json.loads(answer.stdout)["dependencies"]
    except ValueError:
        last = (answer.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        wrong_use = answer.returncode not in {0, 1}  # 1: what it was asked for could not be had
        return int(wrong_use), f"not audited: {last}"
    return _verdict(packages)


def _verdict(packages: list[dict[str, object]]) -> tuple[int, str]:
    skipped = [package for package in packages if "skip_reason" in package]
    found = [package for package in packages if package.get("vulns")]
    lines = [f"{package['name']} {package['version']}: {_ids(package['vulns'])}" for package in found]
    if skipped:
        lines.append(f"not audited: {', '.join(str(package['name']) for package in skipped)}: no data on these")
    if not lines:
        lines.append(f"audited: {len(packages)} packages, no known vulnerability")
    return int(bool(found)), "\n".join(lines)


def _ids(vulnerabilities: object) -> str:
    assert isinstance(vulnerabilities, list)
    return ", ".join(str(vulnerability["id"]) for vulnerability in vulnerabilities)


def main() -> int:
    """Print the verdict, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.vulnerabilities", description=__doc__)
    parser.add_argument("--lock", type=Path, nargs="+", default=LOCKS, help="lock files (default: all)")
    verdicts = {lock.name: audit(lock) for lock in parser.parse_args().lock}
    for name, (_, said) in verdicts.items():
        print(f"{name}: {said}")
    return max(code for code, _ in verdicts.values())


if __name__ == "__main__":
    sys.exit(main())
