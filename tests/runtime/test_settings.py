"""The settings: names, defaults, precedence, and one line for each wrong value."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr, ValidationError

from runtime.errors import Misconfigured
from runtime.settings import ENV_FILE, BrokerSettings, Settings
from runtime.settings.values import setting

NAMES = {str(field.validation_alias) for field in Settings.model_fields.values()}
DEFAULTS = {
    "Quix__Broker__Address": "localhost:29092",
    "Quix__Consumer_Group": "user-login-pipeline",
    "input": "user-login",
    "output": "processed-user-login",
    "PROCESSING_GUARANTEE": "exactly-once",
    "COMMIT_EVERY": 10,
    "COMMIT_INTERVAL": 1.0,
    "AUTO_OFFSET_RESET": "earliest",
    "AUTO_CREATE_TOPICS": False,
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
    "HTTP_PORT": 0,
    "HTTP_HOST": "127.0.0.1",
}
UNSET = {
    *("Quix__Sdk__Token", "Quix__Portal__Api", "Quix__Workspace__Id"),
    *("BROKER_SECURITY_PROTOCOL", "BROKER_SASL_MECHANISM", "BROKER_SASL_USERNAME"),
    *("BROKER_SASL_PASSWORD", "BROKER_SSL_CA_LOCATION", "BROKER_SSL_CERTIFICATE_LOCATION"),
    *("BROKER_SSL_KEY_LOCATION", "BROKER_SSL_KEY_PASSWORD", "INSTANCE_ID", "dead_letter"),
}

TAKEN = [
    ("COMMIT_EVERY", "1", 1),
    ("COMMIT_EVERY", "1000000", 1_000_000),
    ("COMMIT_INTERVAL", "0.01", 0.01),
    ("COMMIT_INTERVAL", "10", 10.0),
    ("PROCESSING_GUARANTEE", "At-Least-Once", "at-least-once"),
    ("AUTO_OFFSET_RESET", "latest", "latest"),
    ("AUTO_OFFSET_RESET", "error", "error"),
    ("AUTO_CREATE_TOPICS", "true", True),
    ("AUTO_CREATE_TOPICS", "1", True),
    ("AUTO_CREATE_TOPICS", "off", False),
    ("INSTANCE_ID", "worker-1", "worker-1"),
    ("INSTANCE_ID", "", None),
    ("LOG_LEVEL", "debug", "DEBUG"),
    ("LOG_FORMAT", "JSON", "json"),
    ("HTTP_PORT", "8080", 8080),
    ("HTTP_PORT", "65535", 65_535),
    ("HTTP_HOST", "", ""),
    ("HTTP_HOST", "::1", "::1"),
    ("BROKER_SECURITY_PROTOCOL", "SSL", "ssl"),
    ("Quix__Broker__Address", "a:1, b:2", "a:1, b:2"),
    ("Quix__Broker__Address", "[::1]:9092", "[::1]:9092"),
    ("Quix__Consumer_Group", "~ of #1 & its 'x' too!", "~ of #1 & its 'x' too!"),
    ("Quix__Consumer_Group", "x" * 200, "x" * 200),
    ("input", "a.B_c-9", "a.B_c-9"),
    ("output", "x" * 249, "x" * 249),
]

WRONG = [
    ("COMMIT_EVERY", "0", "from 1 to 1000000"),
    ("COMMIT_EVERY", "-1", "from 1 to 1000000"),
    ("COMMIT_EVERY", "1000001", "from 1 to 1000000"),
    ("COMMIT_EVERY", "1.5", "a whole number"),
    ("COMMIT_EVERY", "many", "a whole number"),
    ("COMMIT_EVERY", "", "a whole number"),
    ("COMMIT_INTERVAL", "0", "from 0.01 to 10"),
    ("COMMIT_INTERVAL", "10.1", "from 0.01 to 10"),
    ("COMMIT_INTERVAL", "nan", "from 0.01 to 10"),
    ("COMMIT_INTERVAL", "inf", "from 0.01 to 10"),
    ("PROCESSING_GUARANTEE", "at-most-once", "exactly-once or at-least-once"),
    ("PROCESSING_GUARANTEE", "", "exactly-once or at-least-once"),
    ("AUTO_OFFSET_RESET", "begin", "earliest, latest or error"),
    ("INSTANCE_ID", "two words", "a name of at most 200 letters"),
    ("AUTO_CREATE_TOPICS", "perhaps", "true or false"),
    ("LOG_LEVEL", "TRACE", "DEBUG, INFO, WARNING or ERROR"),
    ("LOG_FORMAT", "xml", "text or json"),
    ("HTTP_PORT", "65536", "from 1 to 65535, or 0 for none"),
    ("HTTP_PORT", "-1", "from 1 to 65535, or 0 for none"),
    ("HTTP_PORT", "", "from 1 to 65535, or 0 for none"),
    ("HTTP_HOST", "a\n", "an address or name of this machine"),
    ("BROKER_SECURITY_PROTOCOL", "tls", "plaintext, ssl, sasl_plaintext or sasl_ssl"),
    ("BROKER_SASL_MECHANISM", "GSSAPI", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    *(
        ("Quix__Consumer_Group", name, "1 to 200 printable ASCII characters")
        for name in ("", " ", "logins ", "'logins'", "anmeldungen-täglich", "a\tb", "x" * 201)
    ),
    *(
        ("Quix__Broker__Address", address, "host:port[,host:port...]")
        for address in ("kafka", "kafka:", "kafka:0", "kafka:65536", "kafka://a:1", "a:1,", '"a:1"', "a:1;b:2", "a b:1")
    ),
    ("BROKER_SASL_USERNAME", "alice\n", "text in UTF-8 without control characters"),
    ("BROKER_SASL_USERNAME", "\udcff", "text in UTF-8 without control characters"),
    ("Quix__Workspace__Id", "acme\n", "set by Quix Cloud"),
    ("input", "", "a topic name of at most 249 letters"),
    ("input", "two words", "a topic name of at most 249 letters"),
    ("input", "x" * 250, "a topic name of at most 249 letters"),
    ("input", "name\n", "a topic name of at most 249 letters"),
    ("output", "", "a topic name of at most 249 letters"),
    ("output", "a/b", "a topic name of at most 249 letters"),
    ("output", "user-login", "must differ from input (both are 'user-login')"),
    ("dead_letter", "a/b", "a topic name of at most 249 letters"),
    ("dead_letter", "user-login", "dead_letter must differ from input and output (got 'user-login')"),
    ("dead_letter", "processed-user-login", "dead_letter must differ from input and output"),
    ("BROKER_SSL_CA_LOCATION", "nowhere/ca.pem", "(got 'nowhere/ca.pem': No such file or directory)"),
    ("BROKER_SSL_CERTIFICATE_LOCATION", "nowhere/it.pem", "must be a file in PEM format"),
    ("BROKER_SSL_KEY_LOCATION", ".", "must be a file in PEM format (got '.': not a file)"),
]


PEM = "-----BEGIN CERTIFICATE-----"


@pytest.fixture
def pem(tmp_path: Path) -> str:
    """A file in PEM format."""
    file = tmp_path / "it.pem"
    file.write_text(PEM)
    return str(file)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsets what the tests' own environment may have."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """Load the settings in this environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load(env_file)


def values(settings: BrokerSettings) -> Mapping[str, object]:
    """Every setting by the name of its variable."""
    return {str(field.validation_alias): getattr(settings, name) for name, field in type(settings).model_fields.items()}


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment and a file, each setting has the default that others rely on."""
    assert values(load(monkeypatch, {})) == DEFAULTS | dict.fromkeys(UNSET)


def test_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository's own .env makes the missing topics, and holds no secret."""
    settings = load(monkeypatch, {}, ENV_FILE)

    assert values(settings) == DEFAULTS | dict.fromkeys(UNSET) | {"AUTO_CREATE_TOPICS": True}
    assert not re.search("token|password", ENV_FILE.read_text(), re.IGNORECASE)


def test_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment wins over the file, and the file over the default."""
    file = tmp_path / ".env"
    file.write_text("input=from-file\noutput=from-file-too\n")
    settings = load(monkeypatch, {"input": "from-environment"}, file)

    assert (settings.input, settings.output, settings.commit_every) == ("from-environment", "from-file-too", 10)


@pytest.mark.parametrize(
    "case",
    [
        ("", None, None, "localhost:29092"),
        ("", None, "file:1", "file:1"),
        ("", "own:1", "file:1", "own:1"),
        ("", "", None, "localhost:29092"),
        ("token", None, None, None),
        ("token", None, "file:1", None),
        ("token", "", "file:1", None),
        ("token", "own:1", "file:1", "own:1"),
    ],
)
def test_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: Sequence[str | None]) -> None:
    """With a token of Quix Cloud, neither the file nor the default supplies an address: the platform does."""
    token, environment, in_file, address = case
    file = tmp_path / ".env"
    file.write_text(f"Quix__Broker__Address={in_file}\n" if in_file else "")
    cloud = {"Quix__Sdk__Token": token or "", "Quix__Portal__Api": "https://portal.example"}
    own = cloud | ({} if environment is None else {"Quix__Broker__Address": environment})
    settings = load(monkeypatch, own, file)

    assert settings.address == address
    connection = settings.connection()
    assert (connection and connection.bootstrap_servers) == address


def test_token_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of Quix Cloud's without the address of its API is refused, with what to set."""
    with pytest.raises(
        Misconfigured, match=r"Quix__Portal__Api must be set if Quix__Sdk__Token is.*Quix__Broker__Address"
    ):
        load(monkeypatch, {"Quix__Sdk__Token": "token"})


@pytest.mark.parametrize(("name", "text", "value"), TAKEN)
def test_taken(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    """Values at the ends of each range are accepted, and choices in upper or lower case."""
    assert values(load(monkeypatch, {name: text}))[name] == value


@pytest.mark.parametrize(("name", "text", "allowed"), WRONG)
def test_wrong(monkeypatch: pytest.MonkeyPatch, name: str, text: str, allowed: str) -> None:
    """A wrong value is one line: the setting, what it must be, and the value."""
    with pytest.raises(Misconfigured) as stop:
        load(monkeypatch, {name: text})

    assert stop.value.exit_code == 78
    line = str(stop.value)
    assert line.startswith(f"{name} ")
    assert allowed in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "lacking"),
    [
        (
            {"BROKER_SECURITY_PROTOCOL": "sasl_ssl"},
            "BROKER_SASL_MECHANISM, BROKER_SASL_USERNAME, BROKER_SASL_PASSWORD",
        ),
        (
            {
                "BROKER_SECURITY_PROTOCOL": "sasl_plaintext",
                "BROKER_SASL_MECHANISM": "PLAIN",
                "BROKER_SASL_USERNAME": "a",
            },
            "BROKER_SASL_PASSWORD",
        ),
        (
            {"BROKER_SECURITY_PROTOCOL": "ssl", "BROKER_SSL_CERTIFICATE_LOCATION": "<pem>"},
            "BROKER_SSL_KEY_LOCATION",
        ),
        (
            {"BROKER_SECURITY_PROTOCOL": "ssl", "BROKER_SSL_KEY_LOCATION": "<pem>"},
            "BROKER_SSL_CERTIFICATE_LOCATION",
        ),
    ],
)
def test_lacking(monkeypatch: pytest.MonkeyPatch, pem: str, environment: dict[str, str], lacking: str) -> None:
    """A setting that requires others is refused without them, and the line names them."""
    with pytest.raises(Misconfigured) as caught:
        load(monkeypatch, {name: value.replace("<pem>", pem) for name, value in environment.items()})
    assert str(caught.value).endswith(f": {lacking}")


@pytest.mark.parametrize(
    ("protocol", "allowed"),
    [
        ("", "sasl_ssl or sasl_plaintext"),
        ("plaintext", "sasl_ssl or sasl_plaintext"),
        ("ssl", "sasl_ssl or sasl_plaintext"),
        ("", "ssl or sasl_ssl"),
        ("plaintext", "ssl or sasl_ssl"),
        ("sasl_plaintext", "ssl or sasl_ssl"),
    ],
)
def test_protocol(monkeypatch: pytest.MonkeyPatch, pem: str, protocol: str, allowed: str) -> None:
    """Credentials and certificates require a protocol that uses them. With Quix Cloud, they have no effect."""
    sasl = {"BROKER_SASL_MECHANISM": "PLAIN", "BROKER_SASL_USERNAME": "a", "BROKER_SASL_PASSWORD": "s3cret"}
    given = {"BROKER_SSL_CA_LOCATION": pem} if allowed.startswith("ssl") else sasl
    got = repr(protocol) if protocol else "none, which means plaintext"
    with pytest.raises(Misconfigured) as stop:
        load(monkeypatch, {"BROKER_SECURITY_PROTOCOL": protocol, **given})
    expected = f"BROKER_SECURITY_PROTOCOL must be {allowed} with {', '.join(given)} (got {got})"
    assert str(stop.value) == expected
    if not protocol:
        load(monkeypatch, {"Quix__Sdk__Token": "token", "Quix__Portal__Api": "https://portal.example"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file or directory"), ("", "no PEM block in it"), ("<folder>", "not a file")],
)
def test_pem_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, problem: str) -> None:
    """A file of a BROKER_SSL_ setting that is missing, empty or a folder is refused with this reason."""
    file = tmp_path / "ca.pem"
    if content == "<folder>":
        file.mkdir()
    elif content is not None:
        file.write_text(content)
    with pytest.raises(Misconfigured, match=re.escape(f"(got {str(file)!r}: {problem})")):
        load(monkeypatch, {"BROKER_SECURITY_PROTOCOL": "ssl", "BROKER_SSL_CA_LOCATION": str(file)})


def test_password_in_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the address is not printed."""
    with pytest.raises(Misconfigured) as stop:
        load(monkeypatch, {"Quix__Broker__Address": "alice:s3cret@kafka:9092"})
    assert (
        str(stop.value)
        == "Quix__Broker__Address must be host:port[,host:port...], with ports from 1 to 65535 (got ***)"
    )


def test_all_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several wrong values are named at once, in one line."""
    with pytest.raises(
        Misconfigured, match=r"LOG_LEVEL must be .* \(got 'LOUD'\); COMMIT_EVERY must be .* \(got '0'\)"
    ):
        load(monkeypatch, {"COMMIT_EVERY": "0", "LOG_LEVEL": "loud"})


def test_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has one form: the setting, "must be", what is allowed, and the value."""
    with pytest.raises(Misconfigured) as stop:
        load(monkeypatch, {"COMMIT_EVERY": "ten"})
    assert str(stop.value) == "COMMIT_EVERY must be a whole number from 1 to 1000000 (got 'ten')"


class StrictSettings(BrokerSettings):
    """Settings with a secret that can be wrong."""

    code: Annotated[SecretStr | None, Field(max_length=3)] = setting("CODE", None, "at most 3 characters")


def test_wrong_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a secret is not printed, even if it is wrong."""
    monkeypatch.setenv("CODE", "s3cret")
    with pytest.raises(Misconfigured) as stop:
        StrictSettings.load()
    assert str(stop.value) == "CODE must be at most 3 characters (got ***)"


def test_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every BROKER_ setting reaches the client, by the name that the client knows."""
    files = {name: str(tmp_path / name) for name in ("CA", "CERTIFICATE", "KEY")}
    for file in files.values():
        Path(file).write_text(PEM)
    environment = {
        "BROKER_SECURITY_PROTOCOL": "sasl_ssl",
        "BROKER_SASL_MECHANISM": "scram-sha-512",
        "BROKER_SASL_USERNAME": "alice",
        "BROKER_SASL_PASSWORD": "s3cret",
        "BROKER_SSL_KEY_PASSWORD": "s3cret-key",
        **{f"BROKER_SSL_{name}_LOCATION": file for name, file in files.items()},
    }
    settings = load(monkeypatch, environment)
    connection = settings.connection()

    assert connection is not None
    assert connection.as_librdkafka_dict() == {
        "bootstrap.servers": "localhost:29092",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "alice",
        "sasl.password": "s3cret",
        "ssl.ca.location": files["CA"],
        "ssl.certificate.location": files["CERTIFICATE"],
        "ssl.key.location": files["KEY"],
        "ssl.key.password": "s3cret-key",
    }


@pytest.mark.parametrize("in_file", [True, False])
def test_renamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, in_file: bool) -> None:
    """A setting's old name is refused in one line that names the new one and the place."""
    file = tmp_path / ".env"
    file.write_text("HEALTH_PORT=8080\n" if in_file else "")
    with pytest.raises(Misconfigured) as refused:
        load(monkeypatch, {} if in_file else {"HEALTH_PORT": "8080"}, file)
    place = file if in_file else "the environment"
    assert str(refused.value) == f"HEALTH_PORT in {place} is now called HTTP_PORT: rename it"


def test_effective(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings shown at start omit unset ones and mask secrets."""
    secrets = ("Quix__Sdk__Token", "BROKER_SASL_PASSWORD", "BROKER_SSL_KEY_PASSWORD")
    others = {
        "Quix__Broker__Address": "a:1",
        "BROKER_SECURITY_PROTOCOL": "sasl_ssl",
        "BROKER_SASL_MECHANISM": "PLAIN",
        "BROKER_SASL_USERNAME": "alice",
    }
    settings = load(monkeypatch, {**others, **dict.fromkeys(secrets, "s3cret")})

    assert settings.effective() == DEFAULTS | others | dict.fromkeys(secrets, "***")
    assert "s3cret" not in repr(settings)


def test_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings cannot be changed."""
    settings = load(monkeypatch, {})

    with pytest.raises(ValidationError):
        settings.input = "other"
