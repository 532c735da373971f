"""docs/asyncapi.yaml is valid AsyncAPI, agrees with the code, and its schemas accept what the pipeline writes."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from jsonschema import Draft7Validator

from runtime.connect.topic_facts import TopicFacts
from runtime.loop.dead_letters import NAMES, DeadLetters
from runtime.loop.output_record import TAG
from runtime.settings import ADDRESS, Settings
from tests.docs.pages import ROOT
from tests.input_record import Input
from tests.transforms.test_corpus import CASES
from tools.broker.files import cache_folder
from transforms import Malformed, Reason, chain, refused_timestamp, too_large, upper_device_type

FILE = ROOT / "docs/asyncapi.yaml"
PARSER = Path(__file__).with_name("asyncapi")
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
EXAMPLES = [(message, example) for message in MESSAGES for example in MESSAGES[message].get("examples", [])]
SECONDS = 300.0  # for each command
NOT_TOLD_BY_A_SCHEMA = {Reason.EMPTY_VALUE, Reason.INVALID_UTF8, Reason.INVALID_JSON, Reason.DUPLICATE_DEVICE_TYPE}
"""A value that is not JSON has no schema, and a parser gives only one of equal members."""


@cache
def validator(message: str, part: str) -> Draft7Validator:
    """The validator of a message's payload or headers."""
    return Draft7Validator({"allOf": [MESSAGES[message][part]], "components": DOCUMENT["components"]})


def fits(message: str, value: object) -> bool:
    """Whether a message may have this value."""
    return bool(validator(message, "payload").is_valid(value))


def has_right_headers(message: str, headers: Mapping[str, str]) -> bool:
    """Whether a message may have these headers."""
    return bool(validator(message, "headers").is_valid(headers))


def parsed(value: bytes | None) -> Any:
    """What a JSON parser makes of a value. Integers may have any number of digits."""
    return None if value is None else json.loads(value, parse_int=float)


# ---- the code's names


def test_topics() -> None:
    """The topics are the settings' defaults. That of the dead letters has none, and is named by its setting."""
    defaults = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}
    channels = DOCUMENT["channels"]
    assert channels["input"]["address"] == defaults["input"]
    assert channels["output"]["address"] == defaults["output"]
    assert defaults["dead_letter"] is None
    assert channels["deadLetter"]["address"] == "{dead_letter}"
    assert DOCUMENT["servers"]["local"]["host"] == defaults[ADDRESS]


def test_reasons() -> None:
    """The reasons are those of the code, in their order, and each form of the value has only such."""
    assert SCHEMAS["reason"]["enum"] == [str(reason) for reason in Reason]
    forms = [SCHEMAS[form["$ref"].rpartition("/")[2]] for form in SCHEMAS["malformed"]["oneOf"] if "$ref" in form]
    reasons = [form["properties"]["malformed"]["properties"]["reason"] for form in forms]
    named = {name for reason in reasons for name in reason.get("enum", [reason.get("const")])}
    assert named == set(Reason) - {Reason.NULL_VALUE}


def test_headers() -> None:
    """The headers are those of the code."""
    assert SCHEMAS["malformedHeaders"]["required"] == [TAG]
    dead = SCHEMAS["deadLetterHeaders"]
    assert set(dead["required"]) == set(dead["properties"]) == NAMES


# ---- examples and corpus


@pytest.mark.parametrize(("message", "example"), EXAMPLES, ids=[f"{name}: {one['name']}" for name, one in EXAMPLES])
def test_example(message: str, example: dict[str, Any]) -> None:
    """Each example fits its message, and names the same reason in header and value. Each message of JSON has one."""
    value, headers = example["payload"], example.get("headers", {})
    assert fits(message, value)
    assert has_right_headers(message, headers)
    if message == "malformed" and value:
        assert headers["malformed"] == value["malformed"]["reason"]
    assert {name for name, _ in EXAMPLES} == set(MESSAGES) - {"other"}


TAG_OF_OBJECT = {"reason": "missing_device_type", "detail": "d"}
UNFIT = [
    ("login", {}),
    ("login", {"device_type": 7}),
    ("login", {"device_type": "iOS \ud83d"}),
    ("login", [{"device_type": "iOS"}]),
    ("processedLogin", {"device_type": "iOS"}),
    ("processedLogin", {"device_type": " "}),
    ("malformed", {"device_type": "IOS"}),
    ("malformed", {"malformed": {"reason": "missing_device_type"}}),
    ("malformed", {"malformed": {"reason": "unknown", "detail": "d"}}),
    ("malformed", {"malformed": {**TAG_OF_OBJECT, "reason": "not_an_object"}}),
    ("malformed", {"a": 1, "malformed": {**TAG_OF_OBJECT, "raw": "[]"}}),
    ("malformed", {"malformed": {**TAG_OF_OBJECT, "raw_base64": "/w=="}}),
    ("malformed", {"malformed": {"reason": "invalid_utf8", "detail": "d", "raw_base64": "/w="}}),
    ("malformed", {"malformed": {"reason": "too_large", "detail": "d"}}),
    ("malformed", ""),
]


@pytest.mark.parametrize(("message", "value"), UNFIT)
def test_unfit(message: str, value: object) -> None:
    """A value that breaks the contract does not fit."""
    assert not fits(message, value)


def test_blank() -> None:
    """A character alone is a device type, unless the transform takes it for blank."""
    for character in map(chr, {*range(0x3100), 0xFEFF, 0x1F4F1}):
        value = json.dumps({"device_type": character})
        is_login = isinstance(upper_device_type(value.encode()), bytes)
        assert fits("login", json.loads(value)) is is_login, value


def test_corpus() -> None:
    """A login of the corpus fits, and so does its output. A malformed value is no login, and its output fits."""
    for case in CASES:
        result = upper_device_type(case.value)
        if isinstance(result, bytes):
            assert fits("login", parsed(case.value)), case.name
            assert fits("processedLogin", parsed(result)), case.name
        else:
            assert case.expect in NOT_TOLD_BY_A_SCHEMA or not fits("login", parsed(case.value)), case.name
            assert fits("malformed", parsed(result.value)), case.name


def fail(_value: bytes) -> NoReturn:
    """A transform that raises."""
    raise ValueError


def others() -> dict[Reason, Malformed]:
    """A malformed record for each reason that does not depend on the value."""
    login = b'{"device_type": "ios"}'
    failed = chain(upper_device_type, fail)(login)
    assert isinstance(failed, Malformed)
    stub = too_large(login, "too large", topic="in", partition=0, offset=7)
    return {one.reason: one for one in (failed, refused_timestamp(login, login, 5), stub)}


def test_other_reasons() -> None:
    """The values of the reasons that are not about the value fit, too."""
    assert set(others()) == {Reason.TRANSFORM_FAILED, Reason.REFUSED_TIMESTAMP, Reason.TOO_LARGE}
    for malformed in others().values():
        assert fits("malformed", parsed(malformed.value)), malformed


@pytest.mark.parametrize("limit", [1_000_000, 600])
def test_dead_letters(limit: int) -> None:
    """The headers of each dead letter fit, and so do those of its stub, if the topic takes only small records."""
    letters = DeadLetters(TopicFacts("dead", 1, {"max.message.bytes": f"{limit}"}))
    results = [(case.value, upper_device_type(case.value)) for case in CASES]
    found = []
    for value, result in [*results, *((b"{}", one) for one in others().values())]:
        if isinstance(result, Malformed):
            _, _, _, headers = letters.build(result, b"k", 5, [("trace", b"1")], Input(value))
            found.append({name: (content or b"").decode() for name, content in headers})
            assert has_right_headers("deadLetter", found[-1]), found[-1]
    assert set(Reason) == {headers["malformed"] for headers in found}
    for name in NAMES:
        assert not has_right_headers("deadLetter", {key: text for key, text in found[0].items() if key != name})


# ---- AsyncAPI's own parser


@pytest.fixture(scope="module")
def problems() -> Callable[[Path], str]:
    """Returns the errors and warnings of @asyncapi/parser, which is installed once, into the cache folder."""
    if missing := [name for name in ("node", "npm") if not shutil.which(name)]:
        pytest.skip(f"no {' and no '.join(missing)} on the PATH to run @asyncapi/parser with")
    lock = hashlib.sha256((PARSER / "package-lock.json").read_bytes()).hexdigest()[:12]
    installed = cache_folder() / f"asyncapi-{lock}"
    if not installed.is_dir():
        install(installed)

    def find(file: Path) -> str:
        own = {**os.environ, "NODE_PATH": str(installed / "node_modules")}
        command = ["node", str(PARSER / "validate.cjs"), str(file)]
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        return "\n".join(line for line in done.stdout.splitlines() if line.startswith(("error ", "warning ")))

    return find


def install(target: Path) -> None:
    """Install the packages of the lock, with no script of theirs."""
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(PARSER / file, name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        with suppress(OSError):  # another process has done the same
            Path(name).rename(target)
            Path(name).mkdir()  # the context manager removes it


@pytest.mark.long
def test_valid(problems: Callable[[Path], str]) -> None:
    """The parser finds no error and no warning."""
    assert problems(FILE) == ""


MISTAKES = {
    "a misspelt member": ("  output:\n    address:", "  output:\n    adress:", "adress"),
    "an action that does not exist": ("action: receive", "action: read", "action"),
    "a reference to nothing": ("schemas/stub'", "schemas/stubs'", "stubs"),
    "a type that does not exist": ("type: object", "type: map", "type"),
    "an example with an unknown member": ("          headers: {}", "          header: {}", "header"),
    "a parameter without its address": ("'{dead_letter}'", "dead-user-login", "dead_letter"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(problems: Callable[[Path], str], tmp_path: Path, name: str) -> None:
    """A mistake in the document is found."""
    right, wrong, why = MISTAKES[name]
    text = FILE.read_text("utf-8")
    assert right in text
    broken = tmp_path / FILE.name
    broken.write_text(text.replace(right, wrong, 1), "utf-8")
    assert why in problems(broken)
