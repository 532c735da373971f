"""The pods of the manifests: probes, grace period, permissions and resources."""

import re
from typing import Any

import pytest

from runtime import limits
from runtime.connect import client_config as clients
from tests.deploy.conftest import ROOT, Rendered

pytestmark = pytest.mark.long

CONSUMER: dict[str, Any] = clients.CONSUMER


def test_probes(overlay: Rendered) -> None:
    """All probes ask HTTP_PORT: the start-up and liveness probes /live, the readiness probe /ready."""
    ports = {port["name"]: port["containerPort"] for port in overlay.container["ports"]}
    asked = {}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        request = overlay.container[name]["httpGet"]
        assert str(ports[request["port"]]) == overlay.settings["HTTP_PORT"]
        asked[name] = request["path"]
    assert asked == {"startupProbe": "/live", "livenessProbe": "/live", "readinessProbe": "/ready"}


def test_time_to_start(overlay: Rendered) -> None:
    """A worker without a broker exits by itself, after 35 s at most, before its start-up probe fails."""
    probe = overlay.container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 2 * 35


def test_time_to_stop(overlay: Rendered) -> None:
    """The grace period is longer than the longest stop."""
    assert overlay.pod["terminationGracePeriodSeconds"] > limits.STOP_TIMEOUT + 10


def test_restricted(overlay: Rendered) -> None:
    """Pods meet the Pod Security Standard `restricted`, write nowhere, and have no token for Kubernetes' API."""
    user = overlay.pod["securityContext"]
    assert user["runAsNonRoot"] is True
    assert user["runAsUser"] == user["runAsGroup"] == image_user()
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert overlay.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert overlay.pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(overlay.pod)
    assert all(list(volume) == ["name", "secret"] for volume in overlay.pod.get("volumes", []))


def test_resources(overlay: Rendered) -> None:
    """CPU and memory have requests and limits. The memory limit leaves room for both of librdkafka's queues."""
    resources = overlay.container["resources"]
    assert {name: sorted(values) for name, values in resources.items()} == {
        "limits": ["cpu", "memory"],
        "requests": ["cpu", "memory"],
    }
    queues = CONSUMER["queued.max.messages.kbytes"] + clients.PRODUCER_QUEUE
    assert mebibytes(resources["limits"]["memory"]) > 128 + queues / 1024


def image_user() -> int:
    """The user that the image runs as."""
    found = re.search(r"^USER (\d+):\1$", (ROOT / "dockerfile").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def mebibytes(quantity: str) -> int:
    """Kubernetes' notation for memory, here always in Mi."""
    return int(quantity.removesuffix("Mi"))
