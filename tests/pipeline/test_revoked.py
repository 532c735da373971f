"""Credentials and permissions that are taken away while the pipeline runs."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.checked import assert_says_the_same
from tests.errors_page import check_row
from tests.grants import DESCRIBE, EXACT, MINIMAL, TOPIC, Grant, rule
from tests.kafka import TIMEOUT, Kafka, Record
from tests.process import Pipeline, Pipelines, group_of
from tests.secured import Secured, login, secured_broker
from tools.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("many_processes")]

MECHANISM = ScramMechanism.SCRAM_SHA_512
REAUTHENTICATION = {
    f"listener.name.scram.{name}.connections.max.reauth.ms": "3000" for name in ("scram-sha-256", "scram-sha-512")
}
PATIENCE = 4 * TIMEOUT


def change_password(admin: AdminClient, user: str) -> None:
    """Give the user another password."""
    change = UserScramCredentialUpsertion(user, ScramCredentialInfo(MECHANISM, 4096), b"s3cret-other")
    admin.alter_user_scram_credentials([change])[user].result(TIMEOUT)


def delete_user(admin: AdminClient, user: str) -> None:
    """Delete the user."""
    for mechanism in (ScramMechanism.SCRAM_SHA_256, MECHANISM):
        deletion = UserScramCredentialDeletion(user, mechanism)
        admin.alter_user_scram_credentials([deletion])[user].result(TIMEOUT)


def revoke(grant: str) -> Callable[[AdminClient, str], None]:
    """A function that takes one permission away."""

    def change(admin: AdminClient, user: str) -> None:
        known = rule(user, MINIMAL[grant])
        resource = (known.restype, known.name, known.resource_pattern_type)
        wanted = AclBindingFilter(*resource, known.principal, known.host, known.operation, known.permission_type)
        (answer,) = admin.delete_acls([wanted]).values()
        assert len(answer.result(TIMEOUT)) == 1

    return change


CHANGES: dict[str, Callable[[AdminClient, str], None]] = {
    "the password is changed": change_password,
    "the user is deleted": delete_user,
    "the permission Read on the input is revoked": revoke("input-Read"),
    "the permission Write on the output is revoked": revoke("output-Write"),
    "the permission Read on the group is revoked": revoke("group-Read"),
    "the permission Write on the transactional id is revoked": revoke("transaction-Write"),
}
USERS = {situation: situation.replace(" ", "-") for situation in CHANGES}
FOLLOWING = {
    "verify: the password is changed, with --follow": ("verify", "so far: ", change_password),
    "tail: the user is deleted, with --follow": ("tail", "out[0]@", delete_user),
}
"""By situation: a tool (which is its user, too), a text of its first line, and the change."""
READS = [*DESCRIBE, *MINIMAL.values(), Grant(TOPIC, "out", AclOperation.READ, EXACT, [])]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, which asks for the password again every 3 s, with one record in `in`."""
    users = {user: [*DESCRIBE, *MINIMAL.values()] for user in USERS.values()}
    users |= {tool: READS for tool, _, _ in FOLLOWING.values()}
    with secured_broker(tmp_path_factory.mktemp("certificates"), users, REAUTHENTICATION) as secured:
        secured.kafka.produce("in", [Record(value=b'{"device_type": "ios"}')])
        yield secured


@pytest.fixture(scope="module")
def kafka(secured: Secured) -> Kafka:
    """A client of the broker that `shared_pipelines` uses, too."""
    return secured.kafka


@pytest.fixture(scope="module")
def ended(secured: Secured, shared_pipelines: Pipelines) -> dict[str, Pipeline]:
    """By situation, a pipeline that had committed a record before the change, and has ended. All run in parallel."""
    kafka, admin = secured.kafka, AdminClient({"bootstrap.servers": secured.kafka.address})
    started = {
        situation: shared_pipelines.start(
            "in", "out", **secured.settings("SCRAM"), **login(user), Quix__Consumer_Group=group_of(user)
        )
        for situation, user in USERS.items()
    }
    groups = [group_of(user) for user in USERS.values()]

    def committed() -> bool:
        ended = [pipeline.log for pipeline in started.values() if pipeline.ended]
        assert not ended, ended
        return all(kafka.committed(group, "in") for group in groups)

    wait_until(committed, "the commits", PATIENCE)
    for situation, (tool, text, _) in FOLLOWING.items():
        settings = {**secured.settings("SCRAM"), **login(tool)}
        started[situation] = shared_pipelines.start("in", "out", tool, "--follow", **settings)
        started[situation].wait_for(text)
    for situation, change in CHANGES.items():
        change(admin, USERS[situation])
    for tool, _, change in FOLLOWING.values():
        change(admin, tool)
    kafka.produce("in", [Record(value=b'{"device_type": "ios"}')])
    for pipeline in started.values():
        pipeline.wait(PATIENCE)
    checks = {
        f"check {situation}": shared_pipelines.start(
            "in", "out", "check", **secured.settings("SCRAM"), **login(user), Quix__Consumer_Group=group_of(user)
        )
        for situation, user in USERS.items()
    }
    return started | checks


@pytest.mark.parametrize("situation", [*CHANGES, *FOLLOWING])
def test_revoked(ended: dict[str, Pipeline], situation: str) -> None:
    """The pipeline, or a tool that follows, exits with 77, and one line says what the broker refuses."""
    pipeline = ended[situation]
    (error,) = (line for line in pipeline.lines if " ERROR " in line)
    assert "Traceback" not in pipeline.log
    assert "s3cret" not in pipeline.log
    assert pipeline.wait() == 77
    check_row(
        "Tools" if situation in FOLLOWING else "While running",
        situation,
        77,
        error,
        {r": (sasl_ssl|Fetch|Failed|Group|Broker).*": ": …"},
    )


@pytest.mark.parametrize("situation", CHANGES)
def test_check(ended: dict[str, Pipeline], situation: str) -> None:
    """`check` then ends with the same code, and one of its lines says the same."""
    assert_says_the_same(ended[f"check {situation}"], ended[situation])
