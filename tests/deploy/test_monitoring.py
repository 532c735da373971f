"""The component for the Prometheus Operator: what it selects, and the command that makes the PrometheusRule."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.conftest import KUBERNETES, OVERLAYS, ROOT, render
from tests.deploy.test_alerts import ALERTS, FOLDER, GROUP
from tests.deploy.test_manifests import VERSIONS, problem
from tests.deploy.test_readme import README, yaml_in_readme

COMPONENT = KUBERNETES / "components/monitoring"


@pytest.mark.long
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_component(overlay: str, tmp_path: Path) -> None:
    """The ServiceMonitor selects the Service, which selects the pods. The job gets the name that the alerts expect."""
    added, *_ = yaml_in_readme()
    assert [(KUBERNETES / "overlays" / overlay / path).resolve() for path in added["components"]] == [COMPONENT]
    outer = {
        "resources": [os.path.relpath(KUBERNETES / "overlays" / overlay, tmp_path)],
        "components": [os.path.relpath(COMPONENT, tmp_path)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(outer))
    rendered = render(tmp_path)
    service, monitor = rendered.objects["Service"], rendered.objects["ServiceMonitor"]
    pod = rendered.objects["Deployment"]["spec"]["template"]

    assert [problem(service, version) for version in VERSIONS] == ["", ""]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (port,), (endpoint,) = service["spec"]["ports"], monitor["spec"]["endpoints"]
    assert endpoint["port"] == port["name"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in rendered.container["ports"]
    assert f'job="{service["metadata"]["name"]}"' in ALERTS["LoginPipelineDown"]["expr"]
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["job_name"] == service["metadata"]["name"]


def test_scrape_interval() -> None:
    """Kubernetes and Docker Compose scrape as often as the alerts are evaluated, and Grafana knows it."""
    (endpoint,) = yaml.safe_load((COMPONENT / "servicemonitor.yaml").read_text())["spec"]["endpoints"]
    compose = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["global"]
    (source,) = yaml.safe_load((FOLDER / "grafana/datasource.yml").read_text())["datasources"]
    assert endpoint["interval"] == compose["scrape_interval"] == source["jsonData"]["timeInterval"] == GROUP["interval"]
    assert endpoint["scrapeTimeout"] == compose["scrape_timeout"]


def test_rule() -> None:
    """The README's command makes a PrometheusRule with all alerts and without a second copy of them."""
    found = re.search(r"^(sed .*) \| kubectl apply -f -$", README, re.MULTILINE)
    assert found
    made = subprocess.run(["/bin/sh", "-c", found[1]], cwd=ROOT, capture_output=True, check=True)
    rule = yaml.safe_load(made.stdout)
    assert rule["kind"] == "PrometheusRule"
    assert rule["spec"] == yaml.safe_load((FOLDER / "alerts.yml").read_text())
