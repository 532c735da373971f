"""The README's commands and tables say what is so."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from runtime import errors, limits
from runtime.settings import ENV_FILE, Settings
from tools.verify.cases import HISTORY
from tools.verify.command import NOT_RIGHT
from tools.verify.findings import COUNTS, EXAMPLES, Findings
from tools.verify.gap import WINDOW
from tools.verify.report import Report
from transforms import Reason

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
VERIFY = (ROOT / "docs" / "verify.md").read_text()


def table(heading: str, page: str = README) -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    after = f"\n{page}".split(f"\n{heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert rows, heading
    lines = rows[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_settings() -> None:
    """The table lists each setting, its default, what it may be and what it is for, in the class's order."""
    expected = []
    for field in Settings.model_fields.values():
        default = field.default
        shown = "none" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        expected.append([f"`{field.validation_alias}`", shown, field.description, field.title])
    assert table("## Settings") == expected


def test_env_file() -> None:
    """`.env` holds valid settings, the same as the defaults but for making topics, and no secrets."""
    in_file = dict(
        line.split("=", 1) for line in ENV_FILE.read_text().splitlines() if line and not line.startswith("#")
    )
    defaults = {str(f.validation_alias): f.default for f in Settings.model_fields.values()}
    changed = {name for name, value in in_file.items() if value.lower() != str(defaults[name]).lower()}
    assert changed == {"AUTO_CREATE_TOPICS"}
    assert not {name for name in in_file if "PASSWORD" in name or "TOKEN" in name}


def test_exit_codes() -> None:
    """The table of exit codes lists those of runtime/errors.py, and the command line's."""
    kinds = (errors.Stopped, errors.Misconfigured, errors.Refused, errors.Unavailable, errors.Failed)
    assert [int(row[0]) for row in table("## Exit codes")] == sorted({kind.exit_code for kind in kinds} | {2})


def test_reasons() -> None:
    """The table of reasons lists all of them, in the order in which they are tried."""
    assert [row[0] for row in table("## What happens to a record")] == [f"`{reason}`" for reason in Reason]


def test_health() -> None:
    """The table of paths has the limits in force."""
    live, ready = (re.findall(r"\d+ s\b", row[1]) for row in table("## Health"))
    assert live == [f"{limits.LIVE_TIMEOUT:.0f} s"]
    assert ready == [f"{s:.0f} s" for s in (limits.READY_TIMEOUT, limits.BROKER_SILENT_AFTER, limits.STALLED_AFTER)]


COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if not line.startswith("#")
]
INLINE = re.findall(r"`((?:[A-Z_]+=\S+ )*(?:make|\.venv/bin/python|docker compose) [^`]+)`", README)


@pytest.mark.parametrize("command", sorted(set(COMMANDS + INLINE)))
def test_command(command: str) -> None:
    """Each command in the README names a target of the Makefile, or a module or file that there is."""
    words = [word for word in shlex.split(command) if "=" not in word]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif words[0] == ".venv/bin/python":
        path = words[2].replace(".", "/") if words[1] == "-m" else words[1].removesuffix(".py")
        scripts = (ROOT / f"{path}.py", ROOT / path / "__main__.py")
        assert words[1:3] == ["-m", "pytest"] or any(script.is_file() for script in scripts)
    else:
        check_compose(shlex.split(command))


def check_compose(words: list[str]) -> None:
    """See that a docker compose command uses files, profiles and services that there are."""
    assert words[:2] == ["docker", "compose"]
    options = dict(pairwise(words))
    files = [file for option, file in pairwise(words) if option == "-f"] or ["docker-compose.yml"]
    text = "".join((ROOT / file).read_text() for file in files)
    services = re.findall(r"^  ([a-z-]+):$", text, re.MULTILINE)
    named = [word for word in words[words.index("up") + 1 :] if word.isalpha()] if "up" in words else []
    if "--scale" in options:
        named.append(options["--scale"].partition("=")[0])
    assert {"up", "down"} & set(words)
    assert set(named) <= set(services)
    assert options.get("--profile") in {None, *re.findall(r"profiles: \[(.+)\]", text)}


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)#]+)\)", README))
def test_link(target: str) -> None:
    """Each link to a file of the repository leads to one."""
    assert (ROOT / target).exists()


def test_verify_counts() -> None:
    """The table of the audit's counts lists them all, in its order, and so does the sample, whose sums are right."""
    assert [row[0] for row in table("# Is the output right?", VERIFY)] == [f"`{name}`" for name in COUNTS]
    head, *rows = (line.split() for line in re.findall(r"^ *(?:partition  |\d+  |all  ).*", VERIFY, re.MULTILINE))
    assert head == ["partition", *COUNTS]
    *partitions, everything = ([int(cell) for cell in row[1:]] for row in rows)
    assert [sum(column) for column in zip(*partitions, strict=True)] == everything


def test_verify_numbers() -> None:
    """What the audit's section says of its bounds and its JSON is so."""
    for number in (HISTORY, WINDOW):
        assert f"{number:,}" in VERIFY
    assert (EXAMPLES, NOT_RIGHT) == (5, 1)
    report = json.loads(Report("a", "b").of({0: Findings()}, final=True).as_json())
    for name in {*report, *report["partitions"][0]} - set(COUNTS):
        assert f"`{name}`" in VERIFY
    given = set(re.findall(r"(--[a-z][a-z-]+)", VERIFY))
    assert given == set(re.findall(r'"(--[a-z-]+)"', (ROOT / "tools/verify/command.py").read_text()))
