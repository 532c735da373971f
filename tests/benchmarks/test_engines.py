"""The other engines: what is left out, failed builds, pinned versions, and what their page says of them."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import engines
from benchmarks.engines import BUILD, ENGINES, FASTSTREAM_PEER, FOLDER, Engine, Toolchain
from benchmarks.experiments import COMPARED_WITH_ENGINES
from benchmarks.processes import Route, _arguments
from tests.docs.pages import ROOT, table

FIRST = ENGINES[0]
PINS = [path for pattern in ("pom.xml", "go.mod", "go.sum") for path in FOLDER.glob(f"*/{pattern}")]


def built_by(monkeypatch: pytest.MonkeyPatch, folder: Path, tool: str, script: str) -> None:
    """Let the first engine be the only one, and built by a shell script that needs this tool."""
    toolchain = Toolchain((tool,), ("sh", "-c", script))
    monkeypatch.setattr(engines, "ENGINES", (replace(FIRST, toolchain=toolchain),))
    monkeypatch.setattr(engines, "BUILD", folder)


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An engine whose tools are missing is left out, and the message names them."""
    built_by(monkeypatch, tmp_path, "no-such-compiler", "exit 1")
    assert engines.build() == [FASTSTREAM_PEER]
    assert capsys.readouterr().out == f"{FIRST.peer.name} is left out: no-such-compiler not found\n"


def test_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine is built in its folder, and is then one of the peers."""
    built_by(monkeypatch, tmp_path, "sh", "test -f pom.xml")
    assert engines.build() == [FIRST.peer, FASTSTREAM_PEER]


def test_failed_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A failed build ends the benchmark and shows what the compiler said."""
    built_by(monkeypatch, tmp_path, "sh", "echo no such class >&2; exit 1")
    with pytest.raises(SystemExit, match=rf"{FIRST.peer.name} could not be built: sh -c .*\nno such class"):
        engines.build()


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.folder)
def test_arguments(engine: Engine) -> None:
    """Each engine gets address, topics and group, and its guarantee if it has a choice of them."""
    given = _arguments(engine.peer, Route("127.0.0.1:9", "in", "out"))
    assert given[:4] == ["127.0.0.1:9", "in", "out", "group-of-out"]
    assert given[4:] == ([engine.peer.guarantee] if engine.peer.guarantee else [])


def test_versions() -> None:
    """The versions of all engines are known, and are exact."""
    found = engines.versions()
    assert set(found) >= {"faststream", *(engine.package for engine in ENGINES)}
    for engine in ENGINES:
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", found[engine.package])


@pytest.mark.parametrize("file", PINS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_pins(file: Path) -> None:
    """A version is exact, and no file names a place to download from."""
    text = file.read_text()
    assert not re.search(r"SNAPSHOT|LATEST|RELEASE|<version>[\[(]|<(pluginR|r)epositor|^replace", text, re.MULTILINE)
    assert re.findall(r"\w+://\S+", text) in ([], ['http://maven.apache.org/POM/4.0.0">'])


def test_build_is_ignored() -> None:
    """Git ignores what is built."""
    command = ["git", "check-ignore", "--quiet", str(BUILD / ENGINES[-1].folder)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_renovate() -> None:
    """Renovate leaves updates of the engines to a person, who measures again."""
    rules = json.loads((ROOT / ".github/renovate.json").read_text())["packageRules"]
    (rule,) = [rule for rule in rules if "matchFileNames" in rule]
    assert rule["matchFileNames"] == [f"{FOLDER.relative_to(ROOT)}/**"]
    assert rule["dependencyDashboardApproval"] is True


def test_page() -> None:
    """The page says of each program that is compared what it promises."""
    rows = [name for name, *_ in table("benchmarks/README.md", "## Compared with other engines")]
    assert rows == [*COMPARED_WITH_ENGINES, *(engine.peer.name for engine in ENGINES), FASTSTREAM_PEER.name]
