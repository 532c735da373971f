"""README.md is short, and its record, settings and figures match the code and the results."""

import json
import re

from benchmarks.engines import FLINK, KAFKA_STREAMS
from benchmarks.peers import OURS, STOCK
from benchmarks.results import Experiment, Results
from faults.report import RESULTS
from runtime.settings import Settings
from tests.docs.pages import ROOT, code, read, table, words
from tools.broker.download import read_lock
from transforms import Malformed, upper_device_type

README = read("README.md")


def test_length() -> None:
    """README.md has at most 150 lines and 1,500 words, as `wc` counts them."""
    assert len(README.splitlines()) <= 150
    assert len(README.split()) <= 1500


def test_record() -> None:
    """The record after is the map's output for the record before, as kafka-console-consumer prints it."""
    (before,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    (after,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert [shown(line) for line in before.encode().splitlines()] == after.splitlines()


def shown(value: bytes) -> str:
    """Return the output record of an input value: headers, a tab, the value."""
    result = upper_device_type(value)
    if isinstance(result, Malformed):
        return f"malformed:{result.reason}\t{(result.value or b'null').decode()}"
    return f"NO_HEADERS\t{result.decode()}"


def test_settings() -> None:
    """The settings in the short table have these defaults."""
    defaults = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}
    for names, stated in table("README.md", "## Settings"):
        assert code(stated) == [str(defaults[name]) for name in code(names)]


def test_speed() -> None:
    """The ratios to stock Quix, Kafka Streams and Flink are those in benchmarks/results."""
    folder = ROOT / "benchmarks/results"
    usual, engines = (Results.read(file) for file in (folder / "results.json", folder / "engines/results.json"))
    rate = "records_per_second"
    assert f"{usual.ratio(Experiment.THROUGHPUT, rate, OURS, STOCK):.2f} times the throughput of stock Quix" in README
    for name, peer in (("Kafka Streams", KAFKA_STREAMS), ("Flink", FLINK)):
        assert f"{engines.ratio(Experiment.ENGINES, rate, OURS, peer):.2f} times {name}" in README


def test_kills() -> None:
    """The number of kills is the one in row 1's result, which has no record lost, duplicated or reordered."""
    row = json.loads((RESULTS / "row-1.json").read_text())
    (stated,) = re.findall(r"workers killed (\d+) times", README)
    assert int(stated) == sum(row["faults"].values())
    assert row["command"].startswith(f"make faults ROW=1 N={stated}")
    assert (row["ids"]["lost"], row["ids"]["duplicated"], row["ids"]["reordered"]) == (0, 0, 0)


def test_requirements() -> None:
    """The Python versions are those of pyproject.toml, and the download has the size of Kafka's jars."""
    first, last = re.findall(r"Python 3\.(\d+) to 3\.(\d+)", README)[0]
    assert f'requires-python = ">=3.{first},<3.{int(last) + 1}"' in read("pyproject.toml")
    assert f"({sum(jar.size for jar in read_lock()) / 1e6:.0f} MB)" in README


def test_speed_of_verify() -> None:
    """The speed of `verify` is the one that docs/verify.md says how to measure."""
    (stated,) = re.findall(r"[\d,]+ to [\d,]+ records a second", words("README.md"))
    assert stated in words("docs/verify.md")


def test_time_of_the_tests() -> None:
    """README.md and CONTRIBUTING.md state the same duration of the tests."""
    (stated,) = re.findall(r"about \d+ minutes, two cores", words("README.md"))
    assert stated in words("CONTRIBUTING.md")


def test_times_of_the_checks() -> None:
    """README.md and the list of `make` state the same durations."""
    targets = dict(re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    times = re.findall(r"`make ([a-z-]+)` \((\d+ \w+)", words("README.md"))
    assert len(times) == 5
    for target, duration in times:
        assert duration.replace("min", "minute") in targets[target]
