"""TLS, mutual TLS and SASL over TLS, with access rules, on a real broker: what works, and the errors otherwise."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from runtime.connect.diagnose import diagnose
from runtime.limits import START_TIMEOUT
from runtime.settings import Settings
from tests.checked import assert_says_the_same
from tests.grants import DESCRIBE, MINIMAL, Grant
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tests.secured import KEY_PASSWORD, PASSWORD, Secured, login, secured_broker

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

PARALLEL = 3
PATIENCE = 120.0  # seconds; generous for a slow machine, as the log's times show the pipeline's own duration
SENT = [Record(b"a", b'{"device_type": "ios"}'), Record(None, None), Record(b"b", b'{"x": "\xff"}', [("h", b"1")])]
NOTE = (Path(__file__).parents[2] / "SECURITY.md").read_text()

MakeSettings = Callable[[Secured], dict[str, str]]
WORKING: dict[str, MakeSettings] = {
    "tls": lambda on: on.settings("TLS"),
    "client": lambda on: on.settings("MUTUAL") | on.client("client"),
    "locked-client": lambda on: (
        on.settings("MUTUAL") | on.client("locked-client") | {"BROKER_SSL_KEY_PASSWORD": KEY_PASSWORD}
    ),
    "scram-256": lambda on: on.settings("SCRAM") | login("scram-256", "SCRAM-SHA-256"),
    "scram-512": lambda on: on.settings("SCRAM") | login("scram-512"),
    "plain": lambda on: on.settings("PLAIN") | login("plain", "PLAIN"),
}
"""By user: how it connects."""

LACKING = {
    "input": "input-Read",
    "output": "output-Write",
    "group": "group-Read",
    "transactional id": "transaction-Write",
}


def _lacking(name: str, on: Secured) -> dict[str, str]:
    return on.settings("SCRAM") | login(name)


def _plaintext(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, "BROKER_SECURITY_PROTOCOL": "plaintext", "BROKER_SSL_CA_LOCATION": ""}


REFUSED: dict[str, MakeSettings] = {
    "wrong password": lambda on: on.settings("SCRAM") | login("plain", password=PASSWORD[::-1]),
    "wrong mechanism": lambda on: on.settings("SCRAM") | login("plain", "PLAIN"),
    "wrong CA": lambda on: on.settings("SCRAM") | login("plain") | on.trusting("stranger"),
    "wrong host name": lambda on: on.settings("TLS", "localhost"),
    "wrong advertised host name": lambda on: on.settings("RENAMED"),
    "wrong host name at one of several addresses": lambda on: {
        **on.settings("RENAMED"),
        "Quix__Broker__Address": f"127.0.0.1:{on.ports['RENAMED']},localhost:{on.ports['RENAMED']}",
    },
    "expired broker's certificate": lambda on: on.settings("EXPIRED"),
    "expired client's certificate": lambda on: on.settings("MUTUAL") | on.client("expired-client"),
    "no client's certificate": lambda on: on.settings("MUTUAL"),
    "no TLS to a TLS port": lambda on: _plaintext(on.settings("TLS")),
    "TLS to a port without": lambda on: on.settings("CLIENTS") | {"BROKER_SECURITY_PROTOCOL": "ssl"},
    **{f"no permission on the {what}": partial(_lacking, name) for what, name in LACKING.items()},
}
USERS: dict[str, list[Grant]] = {
    **{
        user: [grant._replace(name=grant.name if grant.name != "out" else f"out-{user}") for grant in MINIMAL.values()]
        for user in WORKING
    },
    **{name: [*DESCRIBE, *(MINIMAL[other] for other in MINIMAL if other != name)] for name in LACKING.values()},
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, with three records in `in`."""
    with secured_broker(tmp_path_factory.mktemp("certificates"), USERS) as secured:
        for user in WORKING:
            secured.kafka.create_topic(f"out-{user}")
        secured.kafka.produce("in", SENT)
        yield secured


@pytest.fixture(scope="module")
def kafka(secured: Secured) -> Kafka:
    """A client of the broker that `pipelines` uses, too."""
    return secured.kafka


@pytest.fixture(scope="module")
def refused(secured: Secured, shared_pipelines: Pipelines) -> dict[str, Pipeline]:
    """A pipeline that has exited for each refusal. Every second one has LOG_LEVEL=DEBUG."""
    ended = {}
    for number, case in enumerate(REFUSED):
        group = group_of(LACKING.get(case.removeprefix("no permission on the "), "refused"))
        level = {"LOG_LEVEL": "DEBUG" if number % 2 else "INFO"}
        settings = {**REFUSED[case](secured), "Quix__Consumer_Group": group}
        ended[case] = shared_pipelines.start("in", "out", **settings, **level)
        ended[f"check {case}"] = shared_pipelines.start("in", "out", "check", **settings)
        if number >= PARALLEL:
            list(ended.values())[2 * (number - PARALLEL)].wait(timeout=PATIENCE)
    for pipeline in ended.values():
        pipeline.wait(timeout=PATIENCE)
    return ended


@pytest.mark.parametrize("user", WORKING)
def test_works(secured: Secured, pipelines: Pipelines, user: str) -> None:
    """Every record is processed with the permissions that docs/operations.md lists, and no secret is logged."""
    settings = WORKING[user](secured)
    pipeline = pipelines.start("in", f"out-{user}", **settings, LOG_LEVEL="DEBUG", Quix__Consumer_Group=group_of(user))
    pipeline.wait_for(RUNNING, timeout=PATIENCE)
    read = secured.kafka.read(f"out-{user}", len(SENT), timeout=PATIENCE)
    assert pipeline.stop() == 0
    assert read == [expected(record) for record in SENT]
    assert_no_secret(pipeline)


def rows() -> dict[str, tuple[int, str]]:
    """The table in SECURITY.md: by case, the exit code and the error line, in which an ellipsis matches any text."""
    found = re.findall(r"^\| ([^|]+) \| (7\d) \| (.+) \|$", NOTE, re.MULTILINE)
    return {case: (int(code), line) for case, code, line in found}


def test_note() -> None:
    """SECURITY.md has a line for each refusal."""
    assert list(rows()) == list(REFUSED)


@pytest.mark.parametrize("case", REFUSED)
def test_refused(refused: dict[str, Pipeline], case: str) -> None:
    """The pipeline exits in time, with the exit code and the one error line in SECURITY.md, and logs no secret."""
    pipeline, (code, line) = refused[case], rows()[case]
    assert pipeline.wait() == code, pipeline.log
    (error,) = (line for line in pipeline.lines if re.search(r"^\S+ \S+ ERROR ", line))
    pattern = ".*".join(map(re.escape, line.replace("`", "").split("…")))
    assert re.search(rf" \| {pattern}", error.replace("`", "")), error
    first, last = (datetime.fromisoformat(line[:23]) for line in (pipeline.lines[0], error))
    assert pipeline.ended is not None
    exit_delay = pipeline.ended - pipeline.heard[error]
    assert (last - first).total_seconds() + exit_delay < 2 * START_TIMEOUT
    if "DEBUG" not in pipeline.log:
        assert pipeline.lines[-1] == error
        assert "Traceback" not in pipeline.log
    assert_no_secret(pipeline)


@pytest.mark.parametrize("case", REFUSED)
def test_check(refused: dict[str, Pipeline], case: str) -> None:
    """`check` ends with the same code, one of its lines says the same, and none has a secret."""
    assert_says_the_same(refused[f"check {case}"], refused[case])
    assert_no_secret(refused[f"check {case}"])


def assert_no_secret(pipeline: Pipeline) -> None:
    """Fail if a password or a key is in the log."""
    assert "s3cret" not in pipeline.log
    assert "s3cret"[::-1] not in pipeline.log
    assert "PRIVATE KEY" not in pipeline.log


DIAGNOSED: dict[str, tuple[MakeSettings, str | None]] = {
    "mutual TLS is right": (lambda on: on.settings("MUTUAL") | on.client("client"), None),
    "SASL is right": (lambda on: on.settings("SCRAM") | login("plain"), None),
    "a wrong user is not visible": (lambda on: on.settings("SCRAM") | login("x"), None),
    "plaintext is right": (lambda on: on.settings("CLIENTS"), None),
    "no listener at the first address": (
        lambda on: {"Quix__Broker__Address": f"127.0.0.1:1,127.0.0.1:{on.ports['TLS']}"},
        "uses ssl, not plaintext",
    ),
    "another certificate at the second address": (
        lambda on: {
            **on.settings("TLS"),
            "Quix__Broker__Address": f"127.0.0.1:{on.ports['TLS']},127.0.0.1:{on.ports['EXPIRED']}",
        },
        "has expired",
    ),
    "a stranger's certificate": (lambda on: on.settings("MUTUAL") | on.client("strange-client"), None),
    "no CA is set": (lambda on: on.settings("TLS") | {"BROKER_SSL_CA_LOCATION": ""}, "not set: the system's CAs"),
    "the broker requires SASL": (
        lambda on: on.settings("SCRAM") | {"BROKER_SECURITY_PROTOCOL": "ssl"},
        "BROKER_SECURITY_PROTOCOL=sasl_ssl and BROKER_SASL_MECHANISM=SCRAM-SHA-256 or SCRAM-SHA-512",
    ),
    "the broker requires SASL over TLS": (
        lambda on: _plaintext(on.settings("PLAIN")),
        "BROKER_SECURITY_PROTOCOL=sasl_ssl and BROKER_SASL_MECHANISM=PLAIN",
    ),
    "the broker has no SASL": (
        lambda on: on.settings("TLS") | login("plain") | {"BROKER_SECURITY_PROTOCOL": "sasl_ssl"},
        "BROKER_SECURITY_PROTOCOL=ssl",
    ),
    "the broker has neither TLS nor SASL": (
        lambda on: on.settings("CLIENTS") | login("plain") | {"BROKER_SECURITY_PROTOCOL": "sasl_ssl"},
        "BROKER_SECURITY_PROTOCOL=plaintext",
    ),
}


@pytest.mark.parametrize("case", DIAGNOSED)
def test_diagnose(secured: Secured, case: str) -> None:
    """The diagnosis finds the settings that the broker requires. It is None if nothing is wrong or visible."""
    make_settings, text = DIAGNOSED[case]
    connection = Settings.model_validate(make_settings(secured)).connection()
    assert connection is not None
    diagnosis = diagnose(connection)
    assert text in str(diagnosis) if text else diagnosis is None
