"""Unreachable brokers and missing permissions: exit codes 69 and 77, and the permissions that are enough."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.limits import START_TIMEOUT
from runtime.observe.http_server import serve
from runtime.observe.response import Response
from tests.brokers import STEADY
from tests.checked import assert_says_the_same
from tests.errors_page import check_row
from tests.grants import DESCRIBE, MINIMAL, TRANSACTION, Grant, rule
from tests.kafka import TIMEOUT
from tests.process import RUNNING, Pipeline, Pipelines, group_of
from tools.broker.embedded import Broker
from tools.broker.ports import HOST, free_port

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

PASSWORD = "s3cret-password"

NOT_TRANSACTIONAL = [grant for grant in MINIMAL.values() if grant.kind is not TRANSACTION]
RUNS: dict[str, list[Grant]] = {
    **{lacking: [*DESCRIBE, *(MINIMAL[name] for name in MINIMAL if name != lacking)] for lacking in MINIMAL},
    "nothing": [],
    "wrong-password": [],
    "wrong-mechanism": [],
    "json": [],
    "exactly-once": [*DESCRIBE, *MINIMAL.values()],
    "at-least-once": [*DESCRIBE, *NOT_TRANSACTIONAL],
}
"""The permissions of each user."""

STOPPED = [*MINIMAL, "nothing", "wrong-password", "wrong-mechanism"]

ABSENT = (
    "nothing listens at the address",
    "what listens at the address stays silent",
    "a web server listens at the address",
    "the address has no such host",
)
ADMIN = "admin"
LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of these pipelines' folders."""
    return tmp_path_factory.mktemp("no-entry")


@pytest.fixture(scope="module", autouse=True)
def unavailable(folder: Path) -> Iterator[dict[str, tuple[str, Pipeline, Pipeline]]]:
    """Addresses without a broker, each with a pipeline and a `check`.

    They are started first, as they try for half a minute.
    """
    (folder / "unavailable").mkdir()
    web = free_port()
    with (
        closing(socket.socket()) as unused,
        socket.create_server((HOST, 0), backlog=1024) as silent,
        serve({"/": lambda _: Response(HTTPStatus.OK, "")}, "127.0.0.1", web),
    ):
        unused.bind((HOST, 0))
        ports = (unused.getsockname()[1], silent.getsockname()[1], web)
        addresses = dict(zip(ABSENT, (*(f"{HOST}:{port}" for port in ports), "nowhere.invalid:9092"), strict=True))
        with Pipelines("", folder / "unavailable") as pipelines:
            yield {
                kind: (
                    address,
                    pipelines.start("in", "out", Quix__Broker__Address=address),
                    pipelines.start("in", "out", "check", Quix__Broker__Address=address),
                )
                for kind, address in addresses.items()
            }


@pytest.fixture(scope="module")
def secured() -> Iterator[Broker]:
    """A broker that requires a password and grants each user its permissions in RUNS."""
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in (ADMIN, *RUNS))
    properties = {
        "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listener.name.clients.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": f"{LOGIN_MODULE} required {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:ANONYMOUS",
        **STEADY,
    }
    with Broker(properties=properties) as broker:
        admin = AdminClient(client(broker, ADMIN))
        topics = [NewTopic(name, 1) for name in ("in", "out", "dead")]
        rules = [rule(user, grant) for user, grants in RUNS.items() for grant in grants]
        for answers in (admin.create_topics(topics), admin.create_acls(rules)):
            for answer in answers.values():
                answer.result(TIMEOUT)
        producer = Producer(client(broker, ADMIN))
        for value in (b'{"device_type": "ios"}', b"["):
            producer.produce("in", value)
        assert producer.flush(TIMEOUT) == 0
        yield broker


@pytest.fixture(scope="module")
def refusing(secured: Broker, folder: Path) -> Iterator[dict[str, Pipeline]]:
    """A pipeline for each of the users, all in parallel."""
    (folder / "refusing").mkdir()
    with Pipelines(secured.address, folder / "refusing") as pipelines:
        started = {}
        for user in RUNS:
            settings = {
                "BROKER_SECURITY_PROTOCOL": "sasl_plaintext",
                "BROKER_SASL_MECHANISM": "SCRAM-SHA-256" if user == "wrong-mechanism" else "PLAIN",
                "BROKER_SASL_USERNAME": user,
                "BROKER_SASL_PASSWORD": PASSWORD[::-1] if user in ("wrong-password", "json") else PASSWORD,
                "Quix__Consumer_Group": group_of(user),
                "dead_letter": "dead",
                "PROCESSING_GUARANTEE": "at-least-once" if user == "at-least-once" else "exactly-once",
                "LOG_FORMAT": "json" if user == "json" else "text",
                "LOG_LEVEL": "DEBUG" if user in ("exactly-once", "at-least-once") else "INFO",
            }
            started[user] = pipelines.start("in", "out", **settings)
            if user in STOPPED:
                started[f"check {user}"] = pipelines.start("in", "out", "check", **settings)
        yield started


def client(broker: Broker, user: str) -> dict[str, str]:
    """A client's settings for the secured broker."""
    return {
        "bootstrap.servers": broker.address,
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": PASSWORD,
    }


@pytest.mark.parametrize("lacking", MINIMAL)
def test_lacking(refusing: dict[str, Pipeline], lacking: str) -> None:
    """The pipeline exits with 77 if one permission is missing, with one line that says which."""
    assert_stopped(refusing[lacking], 77, MINIMAL[lacking].texts)


@pytest.mark.parametrize("user", STOPPED)
def test_check(refusing: dict[str, Pipeline], user: str) -> None:
    """`check` ends with the same code, and one of its lines says the same."""
    assert_says_the_same(refusing[f"check {user}"], refusing[user])
    assert PASSWORD not in refusing[f"check {user}"].log


@pytest.mark.parametrize("kind", ABSENT)
def test_check_unavailable(unavailable: dict[str, tuple[str, Pipeline, Pipeline]], kind: str) -> None:
    """`check` ends with the same code, and one of its lines says the same."""
    _, pipeline, check = unavailable[kind]
    assert_says_the_same(check, pipeline)


def test_nothing_allowed(refusing: dict[str, Pipeline]) -> None:
    """Topics that the user may not describe cause exit code 77, too, and are not reported as missing."""
    assert_stopped(refusing["nothing"], 77, ["Describe", "'in'"])


def test_wrong_password(refusing: dict[str, Pipeline]) -> None:
    """A wrong password causes exit code 77, with one line that names the settings and not the password."""
    assert_stopped(refusing["wrong-password"], 77, ["the credentials", "BROKER_SASL_USERNAME", "BROKER_SASL_PASSWORD"])


def test_json(refusing: dict[str, Pipeline]) -> None:
    """Every line is a JSON object with LOG_FORMAT=json, also the lines of libraries."""
    assert refusing["json"].wait() == 77
    assert all(isinstance(json.loads(line), dict) for line in refusing["json"].lines)


def test_wrong_mechanism(refusing: dict[str, Pipeline]) -> None:
    """A mechanism that the broker does not have causes exit code 77."""
    assert_stopped(refusing["wrong-mechanism"], 77, ["SCRAM-SHA-256"])


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_minimal(refusing: dict[str, Pipeline], guarantee: str) -> None:
    """The permissions that docs/operations.md lists are enough, and the password is nowhere in the log."""
    pipeline = refusing[guarantee]
    pipeline.wait_for(RUNNING)
    pipeline.wait_for("Committed a checkpoint")
    assert pipeline.stop() == 0
    assert "stopped: 2 in, 2 out, 1 malformed" in pipeline.lines[-1]
    assert PASSWORD not in pipeline.log


@pytest.mark.parametrize("kind", ABSENT)
def test_unavailable(unavailable: dict[str, tuple[str, Pipeline, Pipeline]], kind: str) -> None:
    """The pipeline exits after half a minute without a broker, and the line says what it found at the address."""
    address, pipeline, _ = unavailable[kind]
    assert_stopped(pipeline, 69, [address, "Quix__Broker__Address"])
    check_row("At the start", kind, 69, pipeline.lines[-1], {r"--port \d+": "--port 29092"})
    first, last = (datetime.fromisoformat(line[:23]) for line in (pipeline.lines[0], pipeline.lines[-1]))
    assert (last - first).total_seconds() < 2 * START_TIMEOUT


def assert_stopped(pipeline: Pipeline, exit_code: int, texts: list[str]) -> None:
    """Fail unless it exited with this code and one error line, its last, that has these texts."""
    assert pipeline.wait(timeout=60) == exit_code, pipeline.log
    errors = [line for line in pipeline.lines if "ERROR" in line]
    assert errors == [pipeline.lines[-1]]
    assert "Traceback" not in pipeline.log
    assert PASSWORD not in pipeline.log
    for text in texts:
        assert text in errors[0]
