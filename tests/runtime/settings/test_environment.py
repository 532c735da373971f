"""`.env` and the names in it: what cannot be read, and names that no setting has."""

import re
from pathlib import Path

import pytest

from runtime.errors import Misconfigured
from runtime.settings import Settings
from runtime.settings.environment import NAMES_OF_OTHERS, log_options, read_env_file, unknown_names
from tools.generator.command import _OTHER_NAMES, GeneratorSettings

ROOT = Path(__file__).parents[3]
KNOWN = {str(field.validation_alias) for field in Settings.model_fields.values()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of an env file."""
    return tmp_path / ".env"


def test_read(file: Path) -> None:
    """Names and values are read, also after a byte order mark. A name without `=` is left to the environment."""
    file.write_text("# comment\nA=1\nexport B='two words' # comment\nC=\nLOG_LEVEL\n", "utf-8-sig")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": ""}


@pytest.mark.parametrize(
    ("written", "value"), [("a$b${HOME}$", "a$b${HOME}$"), ("'a #b '", "a #b "), ("a#b", "a#b"), ("a=b\\n", "a=b\\n")]
)
def test_password(file: Path, written: str, value: str) -> None:
    """A password is taken as it is written: no variable is replaced in it."""
    file.write_text(f"A={written}\n")
    assert read_env_file(file) == {"A": value}


def test_no_file(file: Path) -> None:
    """A missing file is an empty one."""
    assert read_env_file(file) == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("input=a".encode("utf-16"), "must be text in UTF-8; save it in this encoding: invalid start byte"),
        ("input=a".encode("utf-16-le"), "must be text in UTF-8; save it in this encoding: it has zero bytes"),
        ("input=täglich".encode("latin-1"), "must be text in UTF-8; save it in this encoding: invalid continuation"),
        (b"A=1\nCOMMIT_EVERY 3\nB='open", "must have lines of the form NAME=value (wrong: line 2, 3)"),
    ],
)
def test_wrong_content(file: Path, content: bytes, problem: str) -> None:
    """A file in another encoding, or with a line that is no setting, is refused. Its content is not printed."""
    file.write_bytes(content)
    with pytest.raises(Misconfigured) as stop:
        read_env_file(file)
    assert str(stop.value).startswith(f"{file} {problem}")


def test_folder(tmp_path: Path) -> None:
    """A path that cannot be read as a file is refused with the system's reason."""
    with pytest.raises(Misconfigured, match=f"^{re.escape(str(tmp_path))} must be a file .*: Is a directory$"):
        read_env_file(tmp_path)


@pytest.mark.parametrize(
    ("in_file", "in_environment", "options"),
    [
        ("", {}, ("INFO", "text")),
        ("LOG_LEVEL=debug\nLOG_FORMAT=JSON\n", {}, ("DEBUG", "json")),
        ("LOG_LEVEL=debug\nLOG_FORMAT=JSON\n", {"LOG_LEVEL": "ERROR", "LOG_FORMAT": ""}, ("ERROR", "text")),
        ("", {"LOG_LEVEL": "LOUD", "LOG_FORMAT": "xml"}, ("INFO", "text")),
    ],
)
def test_log_options(
    monkeypatch: pytest.MonkeyPatch,
    file: Path,
    in_file: str,
    in_environment: dict[str, str],
    options: tuple[str, str],
) -> None:
    """The log's level and format are read before all else. A wrong one counts as the default."""
    for name in ("LOG_LEVEL", "LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in in_environment.items():
        monkeypatch.setenv(name, value)
    file.write_text(in_file)
    assert log_options(file) == options


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("COMIT_EVERY", "COMMIT_EVERY"),
        ("INPUT", "input"),
        ("quix__consumer_group", "Quix__Consumer_Group"),
        ("Quix__Consumer__Group", "Quix__Consumer_Group"),
        ("BROKER_USERNAME", "BROKER_SASL_USERNAME"),
        ("BROKER_X", ""),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_unknown(name: str, nearest: str) -> None:
    """A name that resembles a setting, or begins like one, is unknown, both in `.env` and in the environment."""
    assert unknown_names([name], [], KNOWN) == unknown_names([], [name], KNOWN) == {name: nearest}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LANG", "KUBERNETES_SERVICE_HOST", "BROKER_SERVICE_HOST", "BROKER_PORT_9092_TCP_ADDR"),
        *("Quix__Deployment__Id", "Quix__Deployment__State__Path", "Quix__Broker__Username", "PYTHONPATH"),
        *sorted(KNOWN),
        *sorted(NAMES_OF_OTHERS),
    ],
)
def test_known(name: str) -> None:
    """In the environment, variables of other programs, of Quix Cloud and of Kubernetes are not reported."""
    assert unknown_names([name], [], KNOWN) == {}


@pytest.mark.parametrize(
    ("name", "is_unknown"),
    [("HTTP_PROXY", True), ("COMPOSE_FILE", False), ("Quix__Deployment__Id", False), ("KAFKA_PORT", False)],
)
def test_in_file(name: str, *, is_unknown: bool) -> None:
    """In `.env`, each name is unknown, except those of settings, the generator, compose files and Quix Cloud."""
    assert (name in unknown_names([], [name], KNOWN)) is is_unknown


def test_nearest_of_others() -> None:
    """A misspelled name of the generator or the compose files in `.env` has the nearest one, too."""
    assert unknown_names([], ["KAFKA_PROT"], KNOWN) == {"KAFKA_PROT": "KAFKA_PORT"}


def test_names_of_others() -> None:
    """The names of others are those that the generator and the compose files have, and no setting of ours."""
    compose = [ROOT / "docker-compose.yml", *(ROOT / "deploy" / "compose").glob("*.yml")]
    variables = {name for file in compose for name in re.findall(r"\$\{(\w+)", file.read_text())}
    generator = {str(field.validation_alias) for field in GeneratorSettings.model_fields.values()}
    assert (variables | generator | {*_OTHER_NAMES.values()}) - KNOWN == NAMES_OF_OTHERS
