"""README.md: short, and its record, settings and figures are the code's and the results'."""

import json
import re

from benchmarks.peers import OURS, STOCK
from benchmarks.results import THROUGHPUT, Results
from faults.__main__ import RESULTS
from runtime.settings import Settings
from tests.docs.pages import ROOT, code, read, table, words
from tools.broker.download import read_lock
from transforms import Malformed, upper_device_type

README = read("README.md")


def test_length() -> None:
    """It has at most 150 lines and 1,500 words, as `wc` counts them."""
    assert len(README.splitlines()) <= 150
    assert len(README.split()) <= 1500


def test_record() -> None:
    """The records before and after are what the map makes, as kafka-console-consumer prints it."""
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
    """The ratio to stock Quix is that of benchmarks/results."""
    ratio = Results.read(ROOT / "benchmarks/results/results.json").ratio(THROUGHPUT, "records_per_second", OURS, STOCK)
    assert f"{ratio:.2f} times the throughput of stock Quix" in README


def test_kills() -> None:
    """So many kills are in row 1's result, without a record lost, duplicated or reordered."""
    row = json.loads((RESULTS / "row-1.json").read_text())
    (stated,) = re.findall(r"workers killed (\d+) times", README)
    assert int(stated) == sum(row["faults"].values())
    assert row["command"].startswith(f"make faults ROW=1 N={stated}")
    assert (row["ids"]["lost"], row["ids"]["duplicated"], row["ids"]["reordered"]) == (0, 0, 0)


def test_requirements() -> None:
    """The versions of Python are those of pyproject.toml, and the download is as large as Kafka's jars."""
    first, last = re.findall(r"Python 3\.(\d+) to 3\.(\d+)", README)[0]
    assert f'requires-python = ">=3.{first},<3.{int(last) + 1}"' in read("pyproject.toml")
    assert f"({sum(jar.size for jar in read_lock()) / 1e6:.0f} MB)" in README


def test_speed_of_verify() -> None:
    """The speed of `verify` is the one that docs/verify.md says how to measure."""
    (stated,) = re.findall(r"[\d,]+ to [\d,]+ records a second", words("README.md"))
    assert stated in words("docs/verify.md")


def test_time_of_the_tests() -> None:
    """README.md and CONTRIBUTING.md say the same of how long the tests take."""
    (stated,) = re.findall(r"about \d+ minutes, two cores", words("README.md"))
    assert stated in words("CONTRIBUTING.md")
