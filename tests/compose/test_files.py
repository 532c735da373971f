"""The compose files, as docker compose understands them: pinned, limited, and closed to other machines."""

import json
from typing import Any

import pytest

from runtime.settings import ADDRESS, ENV_FILE, Settings
from tests.compose.stack import ROOT, run

BASE = "docker-compose.yml"
COMBINATIONS = {
    "kraft": [BASE],
    "zookeeper": [BASE, "deploy/compose/zookeeper.yml"],
    "original generator": [BASE, "deploy/compose/original.yml"],
    "all of the original": [BASE, "deploy/compose/zookeeper.yml", "deploy/compose/original.yml"],
}
UNPINNED = {"mpradeep954/fetch-de-data-gen"}
"""The original's own image: it is named without a tag there."""


@pytest.fixture(scope="module", params=COMBINATIONS)
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The services of each combination, those behind a profile included."""
    files = [word for file in COMBINATIONS[request.param] for word in ("-f", file)]
    config = json.loads(run(["docker", "compose", *files, "--profile", "*", "config", "--format", "json"]))
    found: dict[str, Any] = config["services"]
    return found


def test_every_file_is_used() -> None:
    """No compose file is left out here."""
    there = {BASE, *(str(file.relative_to(ROOT)) for file in (ROOT / "deploy/compose").iterdir())}
    assert there == {file for files in COMBINATIONS.values() for file in files}


def test_build(services: dict[str, Any]) -> None:
    """One service builds the image that two use: of two builds at once, current engines refuse one."""
    assert [name for name, service in services.items() if "build" in service] == ["pipeline"]
    assert services["pipeline"]["depends_on"].get("generator", {"required": False})["required"] is False


def test_ports(services: dict[str, Any]) -> None:
    """Each port is open to this machine alone; the broker is where .env looks for it."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    (broker,) = services["kafka"]["ports"]
    assert Settings.load(ENV_FILE).address == f"localhost:{broker['published']}"
    assert f"localhost:{broker['published']}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_images(services: dict[str, Any]) -> None:
    """Each image has a tag that stays what it is."""
    for service in services.values():
        _, _, tag = service["image"].partition(":")
        assert tag != "latest"
        assert tag or service["image"] in UNPINNED


def test_limits(services: dict[str, Any]) -> None:
    """Each container has a limit on memory and processes and on its log, no privileges to gain, and comes back."""
    for service in services.values():
        assert int(service["mem_limit"]) > 0
        assert service["pids_limit"] > 0
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
        assert service["restart"] in ("unless-stopped", "on-failure")


def test_ui_is_asked_for(services: dict[str, Any]) -> None:
    """Only the user interface waits to be asked for."""
    assert {name for name, service in services.items() if service.get("profiles")} == {"kafka-ui"}


def test_settings_are_known(services: dict[str, Any]) -> None:
    """The pipeline is told nothing but settings that it has; its address is the broker's inside."""
    told = services["pipeline"]["environment"]
    assert told.keys() <= {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert told[ADDRESS] == "kafka:9092"
