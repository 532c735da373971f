"""The commands and the YAML in deploy/kubernetes/README.md match the manifests."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import KUBERNETES, render

README = (KUBERNETES / "README.md").read_text()
SECRET = "user-login-pipeline-broker"


def yaml_in_readme() -> Iterator[Any]:
    """The YAML documents in the README."""
    for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        yield from yaml.safe_load_all(block)


@pytest.mark.long
def test_scaling_in_the_readme() -> None:
    """The README's ScaledObject names this Deployment, its group and topic, and no more workers than partitions."""
    rendered = render(KUBERNETES / "overlays" / "production")
    _, scaled, authentication = yaml_in_readme()
    deployment = rendered.objects["Deployment"]
    (trigger,) = scaled["spec"]["triggers"]
    settings = rendered.settings
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert trigger["metadata"]["bootstrapServers"] == settings["Quix__Broker__Address"]
    assert trigger["metadata"]["consumerGroup"] == settings["Quix__Consumer_Group"]
    assert trigger["metadata"]["topic"] == settings["input"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    *_, partitions = re.findall(r"^\| [\d,]+ records/s \| \d+ \| (\d+) \|", README, re.MULTILINE)
    assert scaled["spec"]["maxReplicaCount"] <= int(partitions)
    mechanism = settings["BROKER_SASL_MECHANISM"].lower().replace("sha-", "sha").replace("-", "_")
    assert (trigger["metadata"]["sasl"], trigger["metadata"]["tls"]) == (mechanism, "enable")
    references = authentication["spec"]["secretTargetRef"]
    assert {reference["name"] for reference in references} == {SECRET}


@pytest.mark.long
def test_secret_in_the_readme() -> None:
    """The README's command creates the secret with the keys that production and KEDA use."""
    rendered = render(KUBERNETES / "overlays" / "production")
    create = re.search(r"kubectl create secret generic (\S+)(.*?)kubectl", README, re.DOTALL)
    assert create
    (volume,) = rendered.pod["volumes"]
    named = [variable["valueFrom"]["secretKeyRef"]["key"] for variable in rendered.container["env"]]
    files = [item["key"] for item in volume["secret"]["items"]]
    *_, authentication = yaml_in_readme()
    for_keda = {reference["key"] for reference in authentication["spec"]["secretTargetRef"]}
    assert create[1] == SECRET
    assert set(re.findall(r"--from-\w+=([\w.]+)=", create[2])) == {*named, *files} == for_keda


def test_sizing() -> None:
    """The README's calculated figures follow from the one measured figure, the records/s of one worker."""
    measured = re.search(r"<!-- figure: .*? -->([\d,]+) records/s", README)
    assert measured
    rate = number(measured[1])
    stated = [
        f"{1e6 / rate:.0f} µs each",
        f"Plan for half of it, {rate // 2:,} records/s",
        f"Workers = load ÷ {rate // 2:,}",
    ]
    stated += [f"load * {1e6 / rate:.0f} µs", f"(workers * {rate:,} - load)", f'"{10 * rate}"']
    assert [text for text in stated if text not in README] == []
    rows = re.findall(r"^\| ([\d,]+) records/s \| (\d+) \| (\d+) \| (.*) \|$", README, re.MULTILINE)
    assert [number(row[0]) for row in rows] == [100_000, 1_000_000]
    for row in rows:
        load, workers, partitions = (number(cell) for cell in row[:3])
        catch_up = load * 600 / (workers * rate - load)
        assert workers == max(2, math.ceil(load / (rate / 2)))
        assert partitions in {2 * workers, 3 * workers}
        assert row[3] == f"{load / rate:.1f} cores | {load * 230 / 1e6:.0f} MB/s | {catch_up:.0f} s"


def number(text: str) -> int:
    """A number written with commas."""
    return int(text.replace(",", ""))
