"""Every page: its commands can be run, its links lead somewhere, and the files that it names exist."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from runtime.settings import Settings
from tests.docs.pages import PAGES, ROOT, anchors, code, commands

EACH_COMMAND = sorted({(page.relative_to(ROOT), command) for page in PAGES for command in commands(page.read_text())})
EACH_LINK = [
    (page.relative_to(ROOT), link)
    for page in PAGES
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())
]
FOLDERS = "|".join(sorted(folder.name for folder in ROOT.iterdir() if folder.is_dir() and folder.name[0] != "."))
EXAMPLE = "mask.py"
"""The end of the files' names that docs/transforms.md writes, and that therefore do not exist."""
DEFAULTS = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}


@pytest.mark.parametrize(("page", "command"), EACH_COMMAND, ids=str)
def test_command(page: Path, command: str) -> None:
    """Each command names a target, module, file, service or topic that exists."""
    words = [word for word in shlex.split(_program(command)) if not re.match(r"[A-Za-z_]+=", word)]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets), page
    elif words[0] == ".venv/bin/python":
        check_python(words)
    elif words[:2] == ["docker", "compose"]:
        check_compose(words)
    elif words[0].startswith("kafka-"):
        check_kafka_tool(words)
    else:
        assert words[0] in {"docker", "kubectl"}, page


def _program(command: str) -> str:
    """Give the command without what `echo` sends to it."""
    return command.partition(" | ")[2] if command.startswith("echo ") else command


def check_python(words: list[str]) -> None:
    """See that the module or the file to run exists."""
    path = words[2].replace(".", "/") if words[1] == "-m" else words[1].removesuffix(".py")
    scripts = (ROOT / f"{path}.py", ROOT / path / "__main__.py")
    assert words[1:3] == ["-m", "pytest"] or any(script.is_file() for script in scripts)


def check_compose(words: list[str]) -> None:
    """See that a docker compose command uses files, profiles and services that exist."""
    options = dict(pairwise(words))
    files = [file for option, file in pairwise(words) if option == "-f"] or ["docker-compose.yml"]
    text = "".join((ROOT / file).read_text() for file in files)
    services = re.findall(r"^  ([a-z-]+):$", text, re.MULTILINE)
    (action,) = {"up", "down", "run"} & set(words)
    after = [word for word in words[words.index(action) + 1 :] if not word.startswith("-")]
    named = after[:1] if action == "run" else [word for word in after if word.isalpha()]
    if "--scale" in options:
        named.append(options["--scale"].partition("=")[0])
    assert set(named) <= set(services)
    assert options.get("--profile") in {None, *re.findall(r"profiles: \[(.+)\]", text)}


def check_kafka_tool(words: list[str]) -> None:
    """See that one of Kafka's own tools gets the pipeline's topics and group."""
    options = dict(pairwise(words))
    assert options["--topic"].partition(":")[0] in {DEFAULTS["input"], DEFAULTS["output"]}
    assert options.get("--group") in {None, DEFAULTS["Quix__Consumer_Group"]}


@pytest.mark.parametrize(("page", "link"), EACH_LINK, ids=str)
def test_link(page: Path, link: str) -> None:
    """Each link inside the repository leads to a file, and to a heading in it if it names one."""
    target, _, anchor = link.partition("#")
    file = (ROOT / page).parent / target if target else ROOT / page
    assert file.exists()
    assert not anchor or anchor in anchors(file.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files(page: Path) -> None:
    """Each file or folder that a page names by its path from the root exists."""
    named = {text for text in code(page.read_text()) if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", text)}
    assert [path for path in named if not path.endswith(EXAMPLE) and not any(ROOT.glob(path.rstrip("/")))] == []
