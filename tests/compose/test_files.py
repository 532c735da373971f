"""The compose files, as docker compose understands them: pinned, limited, and closed to other machines."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

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
"""The original's own image, which has no tag."""


@pytest.fixture(scope="module", params=COMBINATIONS)
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The services of each combination, those behind a profile included."""
    files = [word for file in COMBINATIONS[request.param] for word in ("-f", file)]
    config = json.loads(run(["docker", "compose", *files, "--profile", "*", "config", "--format", "json"]))
    found: dict[str, Any] = config["services"]
    return found


def test_every_file_is_used() -> None:
    """COMBINATIONS has every compose file."""
    there = {BASE, *(str(file.relative_to(ROOT)) for file in (ROOT / "deploy/compose").iterdir())}
    assert there == {file for files in COMBINATIONS.values() for file in files}


def test_build(services: dict[str, Any]) -> None:
    """Only one of two services builds their image, because current engines refuse one of two builds at once."""
    assert [name for name, service in services.items() if "build" in service] == ["pipeline"]
    assert services["pipeline"]["depends_on"].get("generator", {"required": False})["required"] is False


def test_ports(services: dict[str, Any]) -> None:
    """Each port is open to this machine only, and the broker's is the one in .env."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    (broker,) = services["kafka"]["ports"]
    assert Settings.load(ENV_FILE).address == f"localhost:{broker['published']}"
    assert f"localhost:{broker['published']}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_images(services: dict[str, Any]) -> None:
    """Each image has a tag other than `latest`."""
    for service in services.values():
        _, _, tag = service["image"].partition(":")
        assert tag != "latest"
        assert tag or service["image"] in UNPINNED


def test_limits(services: dict[str, Any]) -> None:
    """Each container limits its memory, processes and log, gains no privileges, and is restarted."""
    for service in services.values():
        assert int(service["mem_limit"]) > 0
        assert service["pids_limit"] > 0
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
        assert service["restart"] in ("unless-stopped", "on-failure")


def test_profiles(services: dict[str, Any]) -> None:
    """The Kafka UI, Prometheus and Grafana have a profile, so they do not start by default."""
    profiles = {name: service["profiles"] for name, service in services.items() if service.get("profiles")}
    assert profiles == {"kafka-ui": ["ui"], "prometheus": ["observability"], "grafana": ["observability"]}


def test_observability(services: dict[str, Any]) -> None:
    """Prometheus and Grafana read their files from deploy/observability and cannot write there. No one can sign in."""
    folder = ROOT / "deploy/observability"
    mounted = set()
    for service in (services["prometheus"], services["grafana"]):
        assert service["read_only"] is True
        mounts = [mount for mount in service["volumes"] if mount["type"] == "bind"]
        assert all(mount["read_only"] for mount in mounts)
        mounted |= {Path(mount["source"]) for mount in mounts}
    assert mounted == {file for file in folder.rglob("*.*") if file.suffix in {".yml", ".json"}}
    environment = services["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"


def test_scraped(services: dict[str, Any]) -> None:
    """Prometheus finds every container of the pipeline by its name and port, which is also the first one outside."""
    (job,) = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert set(found["names"]) == {"pipeline"} <= services.keys()
    (port,) = services["pipeline"]["ports"]
    assert f"{found['port']}" == services["pipeline"]["environment"]["HTTP_PORT"] == f"{port['target']}"
    assert port["published"].partition("-")[0] == f"{port['target']}"
    assert " HTTP_HOST=\n" in (ROOT / "dockerfile").read_text(), "it listens on all addresses"


def test_settings_are_known(services: dict[str, Any]) -> None:
    """The pipeline gets only settings that it has, with the broker's internal address."""
    environment = services["pipeline"]["environment"]
    assert environment.keys() <= {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert environment[ADDRESS] == "kafka:9092"
