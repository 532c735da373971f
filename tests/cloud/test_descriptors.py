"""quix.yaml and each app.yaml follow Quix Cloud's documentation, and agree with each other and the settings."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from runtime.settings import BrokerSettings, Settings
from tools.generator.command import GeneratorSettings

ROOT = Path(__file__).parent.parent.parent
SCHEMAS = Path(__file__).parent / "schemas"
QUIX = ROOT / "quix.yaml"
SETTINGS: dict[str, type[BrokerSettings]] = {"generator": GeneratorSettings, "pipeline": Settings}
LEFT_OUT = (
    *("BROKER_", "Quix__Broker__", "Quix__Sdk__", "Quix__Portal__", "Quix__Workspace__"),
    *("HTTP_", "INSTANCE_ID"),  # no health checks there; replicas share their variables
)
"""Prefixes of the settings that Quix Cloud sets itself, supplies with the broker, or does not use."""

TOPICS = {"input": "InputTopic", "output": "OutputTopic", "dead_letter": "OutputTopic"}
Change = Callable[[Any], object]


def descriptor(application: str) -> Path:
    """An application's app.yaml."""
    return ROOT / "deploy" / "quix" / application / "app.yaml"


def read(file: Path) -> Any:
    """A YAML file's content."""
    return yaml.safe_load(file.read_text())


def errors(schema: str, content: object) -> Iterator[str]:
    """The errors in a descriptor, by its schema."""
    wanted = json.loads((SCHEMAS / f"{schema}-descriptor.json").read_text())
    jsonschema.Draft202012Validator.check_schema(wanted)
    return (
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(wanted).iter_errors(content)
    )


@pytest.mark.parametrize(
    ("schema", "file"), [("pipeline", QUIX), *(("application", descriptor(name)) for name in SETTINGS)], ids=str
)
def test_as_documented(schema: str, file: Path) -> None:
    """Each descriptor follows Quix's documentation."""
    assert list(errors(schema, read(file))) == []


QUIX_MISTAKES: dict[str, Change] = {
    "version 1.0": lambda quix: quix["metadata"].update(version=1.0),
    "resources as in 1.0": lambda quix: quix["deployments"][0].update(resources={"cpu": 200, "memory": 500}),
    "unknown type": lambda quix: quix["deployments"][0].update(deploymentType="Daemon"),
    "image as well": lambda quix: quix["deployments"][0].update(image="a/b:1"),
    "no application": lambda quix: quix["deployments"][0].pop("application"),
    "no version": lambda quix: quix["deployments"][0].pop("version"),
    "folder from the root": lambda quix: quix["deployments"][0].update(application="/deploy"),
    "misspelt": lambda quix: quix["deployments"][0].update(replicas=1),
    "no partitions": lambda quix: quix["topics"][0]["configuration"].update(partitions=0),
    "Kafka's own name": lambda quix: quix["topics"][0]["configuration"].update({"retention.ms": 1}),
    "cleanup in small letters": lambda quix: quix["topics"][0]["configuration"].update(cleanupPolicy="delete"),
}
APP_MISTAKES: dict[str, Change] = {
    "unknown input type": lambda app: app["variables"][0].update(inputType="Topic"),
    "value instead of defaultValue": lambda app: app["variables"][0].update(value="x"),
    "options missing": lambda app: app["variables"][0].update(inputType="Options"),
    "options for a text": lambda app: app["variables"][0].update(options=[{"label": "a", "value": "a"}]),
    "secret in plain sight": lambda app: app["variables"][0].update(secret=True),
    "no dockerfile": lambda app: app.pop("dockerfile"),
    "dockerfile outside of the folder": lambda app: app.update(dockerfile="../../dockerfile"),
    "folder outside of the repository": lambda app: app.update(includedFolders=["../runtime"]),
}


@pytest.mark.parametrize(
    ("schema", "file", "change"),
    [
        *(pytest.param("pipeline", QUIX, change, id=name) for name, change in QUIX_MISTAKES.items()),
        *(
            pytest.param("application", descriptor("pipeline"), change, id=name)
            for name, change in APP_MISTAKES.items()
        ),
    ],
)
def test_mistake(schema: str, file: Path, change: Change) -> None:
    """The schemas refuse what the documentation does not allow."""
    content = deepcopy(read(file))
    change(content)

    assert list(errors(schema, content))


@pytest.mark.parametrize("application", SETTINGS)
def test_variables(application: str) -> None:
    """An app.yaml has each setting that Quix Cloud does not supply, with its default and choices, and no secrets."""
    fields = {str(field.validation_alias): field for field in SETTINGS[application].model_fields.values()}
    expected = {}
    for name, field in fields.items():
        if name.startswith(LEFT_OUT):
            continue
        choices = [arg for arg in get_args(field.annotation) if isinstance(arg, str)]
        default = field.default
        expected[name] = {
            "name": name,
            "inputType": TOPICS.get(name, "Options" if choices else "FreeText"),
            "description": field.description,
            **({} if default is None else {"defaultValue": str(default).lower() if default is False else str(default)}),
            "required": default is not None,
            **({"options": [{"label": choice, "value": choice} for choice in choices]} if choices else {}),
        }
    variables = read(descriptor(application))["variables"]

    assert {variable["name"]: variable for variable in variables} == expected
    assert len(variables) == len(expected)
    assert "secret" not in "".join(name.lower() for name in expected)


def test_agreement() -> None:
    """Each deployment's application exists, and the declared topics are those that the applications use."""
    quix = read(QUIX)
    folders = [deployment["application"] for deployment in quix["deployments"]]
    assert sorted(folders) == sorted(f"deploy/quix/{name}" for name in SETTINGS)
    for deployment in quix["deployments"]:
        assert "variables" not in deployment, "app.yaml has them all"
    used = {
        variable["defaultValue"]
        for name in SETTINGS
        for variable in read(descriptor(name))["variables"]
        if variable["name"] in TOPICS and variable["required"]
    }
    assert {topic["name"] for topic in quix["topics"]} == used


def test_topics_fit() -> None:
    """The output has as many partitions as the input, is not compacted, and keeps its records at least as long."""
    source, target = (
        next(topic["configuration"] for topic in read(QUIX)["topics"] if topic["name"] == name)
        for name in ("user-login", "processed-user-login")
    )
    assert source["partitions"] == target["partitions"]
    assert target["cleanupPolicy"] == "Delete"
    for limit in ("retentionInMinutes", "retentionInBytes"):
        assert target[limit] >= source[limit] > 0


def test_replicas_have_work() -> None:
    """The pipeline has at most as many replicas as there are partitions."""
    quix = read(QUIX)
    (replicas,) = (d["resources"]["replicas"] for d in quix["deployments"] if d["application"].endswith("/pipeline"))
    assert replicas <= min(topic["configuration"]["partitions"] for topic in quix["topics"])


def test_readme() -> None:
    """deploy/quix/README.md names what quix.yaml deploys, with the topics' figures."""
    page = " ".join((ROOT / "deploy/quix/README.md").read_text().split())
    quix = read(QUIX)
    for named in (*quix["deployments"], *quix["topics"]):
        assert f"`{named['name']}`" in page
    (kept,) = {tuple(topic["configuration"].values()) for topic in quix["topics"]}
    assert kept == (4, 7 * 24 * 60, 1024**3, "Delete")
    for figure in ("4 partitions", "7 days", "1 GiB"):
        assert figure in page
