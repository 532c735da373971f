"""`python pipeline.py verify --manifest FILE` on a real Kafka: the output is compared without the transforms."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from runtime.settings import Settings
from tests.errors_page import check_row
from tests.kafka import Kafka, Record
from tests.pipeline.expected import expected
from tests.process import Pipelines
from tests.tools.generator.test_process import run
from tests.tools.verify.run_planted import PLANTED, leaves_ios
from tests.tools.verify.test_command import found_in, in_transactions, put, totals
from tests.tools.verify.verify_process import Verify
from tools.generator.logins import WELL_FORMED, records
from tools.generator.manifest import ManifestWriter
from tools.verify.command import Options, audit, main
from transforms import upper_device_type

COUNT = 200
LOGINS = list(islice(records(3, 0.4, lambda: 1_700_000_000.0), COUNT))
OTHER = Record(b"of another producer", b'{"device_type": "ios"}')
SENT = [
    sent
    for number, login in enumerate(LOGINS)
    for sent in (Record(login.key, login.value), *([OTHER] if number % 10 == 0 else []))
]
"""After every tenth, a record of another producer."""

RIGHT = [expected(sent, upper_device_type) for sent in SENT]  # the manifest knows no other transform
OTHERS = SENT.count(OTHER)
PLACES = [at for at, sent in enumerate(SENT) if sent is not OTHER]
"""The offsets of the generator's records in the input."""

REASONS = dict(zip(PLACES, (login.reason for login in LOGINS), strict=True))
LOGIN = next(at for at in PLACES if REASONS[at] == WELL_FORMED)
TAGGED = next(at for at in PLACES if REASONS[at] == "invalid_device_type")
WRAPPED = next(at for at in PLACES if REASONS[at] == "invalid_json")
NULL = next(at for at in PLACES if REASONS[at] == "null_value")


def changed(at: int, old: bytes, new: bytes) -> list[Record]:
    """The right outputs, except that in one of them these bytes are others."""
    value = RIGHT[at].value or b""
    assert old in value
    return put(RIGHT, at, value=value.replace(old, new, 1))


FAULTS = {
    "right": (RIGHT, {}),
    "a login lost": ([*RIGHT[:LOGIN], *RIGHT[LOGIN + 1 :]], {"lost": [LOGIN]}),
    "a malformed record lost": ([*RIGHT[:TAGGED], *RIGHT[TAGGED + 1 :]], {"lost": [TAGGED]}),
    "a duplicate": ([*RIGHT[: LOGIN + 1], *RIGHT[LOGIN:]], {"duplicated": [LOGIN + 1]}),
    "two swapped": ([*RIGHT[:25], RIGHT[26], RIGHT[25], *RIGHT[27:]], {"reordered": [25, 26]}),
    "not upper-cased": (put(RIGHT, LOGIN, value=SENT[LOGIN].value), {"wrong": [LOGIN]}),
    "one byte of a login": (changed(LOGIN, b"2.3.0", b"2.3.1"), {"wrong": [LOGIN]}),
    "one byte of a malformed object": (changed(TAGGED, b"2.3.0", b"2.3.1"), {"wrong": [TAGGED]}),
    "one byte of a wrapped value": (changed(WRAPPED, b"2.3.0", b"2.3.1"), {"wrong": [WRAPPED]}),
    "another reason in the value": (changed(TAGGED, b'"invalid_device_type"', b'"invalid_json"'), {"wrong": [TAGGED]}),
    "another reason in the header": (put(RIGHT, TAGGED, headers=[("malformed", b"too_large")]), {"wrong": [TAGGED]}),
    "no header": (put(RIGHT, TAGGED, headers=[]), {"wrong": [TAGGED]}),
    "no tag in the value": (put(RIGHT, TAGGED, value=SENT[TAGGED].value), {"wrong": [TAGGED]}),
    "a login tagged": (put(RIGHT, LOGIN, headers=[("malformed", b"invalid_json")]), {"wrong": [LOGIN]}),
    "a null value without its header": (put(RIGHT, NULL, headers=[]), {"wrong": [NULL]}),
    "a null value that is not null": (put(RIGHT, NULL, value=b""), {"wrong": [NULL]}),
    "a header more": (put(RIGHT, LOGIN, headers=[("trace", b"1")]), {"wrong": [LOGIN]}),
    "no key": (put(RIGHT, LOGIN, key=None), {"lost": [LOGIN]}),
}


@pytest.fixture
def planted(kafka: Kafka, tmp_path: Path) -> Iterator[Pipelines]:
    """Starts pipelines with only the transform that PLANT names."""
    with Pipelines(kafka.address, tmp_path, Path(__file__).with_name("run_planted.py")) as pipelines:
        yield pipelines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The manifest of SENT, in one partition."""
    with ManifestWriter(tmp_path / "manifest.jsonl") as manifest:
        for at, login in zip(PLACES, LOGINS, strict=True):
            manifest.add(login, 0, at)
    return tmp_path / "manifest.jsonl"


def judged(kafka: Kafka, source: str, target: str, file: Path, *, complete: bool = False) -> dict[str, Any]:
    """The report of a comparison with a manifest in this process."""
    own = {"Quix__Broker__Address": kafka.address, "input": source, "output": target}
    settings, options = Settings.model_validate(own), Options(complete=complete, manifest=file)
    report: dict[str, Any] = json.loads(audit(settings, options).as_json())
    assert report["final"]
    return report


@pytest.mark.parametrize("name", FAULTS)
def test_fault(kafka: Kafka, topics: Callable[..., str], file: Path, name: str) -> None:
    """Each planted fault is found, and nothing else. Records of another producer are skipped."""
    outputs, faults = FAULTS[name]
    source, target = topics("in"), topics("out")
    kafka.produce(target, outputs)
    report = judged(kafka, source, target, file)
    assert found_in(report) == faults
    assert report["ok"] is (not faults)
    others = sum(record.key not in {login.key for login in LOGINS} for record in outputs)
    assert report["total"]["skipped"] == others >= OTHERS
    assert report["total"]["pending"] == 0


@pytest.mark.long
def test_transactions(kafka: Kafka, topics: Callable[..., str], file: Path) -> None:
    """Aborted transactions, and the markers that end them, count for nothing."""
    source, target = topics("in"), topics("out")
    in_transactions(kafka, target, RIGHT)
    report = judged(kafka, source, target, file, complete=True)
    assert report["total"] == totals(checked=COUNT, skipped=OTHERS)
    assert report["ok"]


def test_behind(kafka: Kafka, topics: Callable[..., str], file: Path) -> None:
    """Lines after the last one that has an output are pending, which is an error only with --complete."""
    source, target = topics("in"), topics("out")
    for outputs, checked in ([], 0), (RIGHT[: PLACES[100]], 100):
        kafka.produce(target, outputs)
        report = judged(kafka, source, target, file)
        assert report["total"] == totals(checked=checked, pending=COUNT - checked, skipped=len(outputs) - checked)
        assert report["ok"]
        assert not judged(kafka, source, target, file, complete=True)["ok"]


def test_expired(kafka: Kafka, topics: Callable[..., str], file: Path) -> None:
    """Lines whose outputs have expired are skipped. A fault after them is found."""
    source, target = topics("in"), topics("out")
    kafka.produce(target, [*RIGHT[:50], *RIGHT[51:]])
    kafka.delete_records(target, 40)
    report = judged(kafka, source, target, file)
    assert found_in(report) == {"lost": [50]}
    gone = sum(at < 40 for at in PLACES)
    others = len(SENT) - 40 - (COUNT - gone)
    assert report["total"] == totals(checked=COUNT - gone - 1, lost=1, skipped=gone + others)


def test_partitions(kafka: Kafka, topics: Callable[..., str], tmp_path: Path) -> None:
    """Each partition is compared with its own lines: a record in another one is lost in the first, wrong in the other.

    The lines of a partition that the output lacks are pending.
    """
    source, target, file = topics("in", 4), topics("out", 3), tmp_path / "manifest.jsonl"
    with ManifestWriter(file) as manifest:
        for number, login in enumerate(LOGINS):
            manifest.add(login, number % 4, number // 4)
    outputs = [
        replace(expected(Record(login.key, login.value), upper_device_type), partition=number % 4 if number != 8 else 1)
        for number, login in enumerate(LOGINS)
        if number % 4 != 3
    ]
    kafka.produce(target, outputs)
    report = judged(kafka, source, target, file)
    by_partition = {row["partition"]: row for row in report["partitions"]}
    assert by_partition[0]["examples"]["lost"] == [2]
    assert by_partition[1]["examples"]["wrong"] == [2]
    assert report["total"] == totals(checked=149, lost=1, wrong=1, pending=50)


@pytest.mark.parametrize(
    "plant",
    [
        plant.__name__ if plant is leaves_ios else pytest.param(plant.__name__, marks=pytest.mark.long)
        for plant in PLANTED
    ],
)
def test_wrong_transform(kafka: Kafka, topics: Callable[..., str], planted: Pipelines, file: Path, plant: str) -> None:
    """A wrong transform is found with a manifest. Without one it is not, as both sides of the comparison use it."""
    source, target = topics("in"), topics("out")
    kafka.produce(source, SENT)
    pipeline = planted.start(source, target, PLANT=plant)
    kafka.read(target, len(SENT))
    assert pipeline.stop() == 0

    by_input = planted.start(source, target, "verify", "--complete", PLANT=plant)
    assert by_input.wait() == 0
    assert f"OK: {len(SENT)} records match" in by_input.log
    by_manifest = planted.start(source, target, "verify", "--manifest", str(file), PLANT=plant)
    assert by_manifest.wait() == 1
    assert "partition 0: wrong at output offset " in by_manifest.log


@pytest.mark.long
def test_generated(kafka: Kafka, topics: Callable[..., str], planted: Pipelines, tmp_path: Path) -> None:
    """What the generator delivered, in two runs and three partitions, is in the output of a worker.

    The worker has only the transform that the manifest knows.

    A record of it that is then written once more makes it end in 1.
    """
    source, target, file = topics("in", 3), topics("out", 3), tmp_path / "manifest.jsonl"
    for seed in 1, 2:
        code, _, err = run(
            "--manifest", str(file), BOOTSTRAP_SERVERS=kafka.address, output=source, COUNT=400, RATE=0, MALFORMED=0.3,
            SEED=seed,
        )  # fmt: skip
        assert code == 0, err
    pipeline = planted.start(source, target, PLANT="upper_device_type")
    outputs = kafka.read(target, 800)
    assert pipeline.stop() == 0

    with Verify(kafka.address, source, target, "--manifest", str(file), "--complete", "--json") as verify:
        report = verify.report()
    assert report["exit_code"] == 0
    assert report["total"] == totals(checked=800)
    kafka.produce(target, outputs[-1:])
    with Verify(kafka.address, source, target, "--manifest", str(file)) as verify:
        code, out, _ = verify.end()
    assert code == 1
    assert "partition 2: duplicated at output offset " in out


LINE = f'{{"partition": 0, "offset": 7, "key": "k", "reason": null, "digest": "{"0123456789abcdef" * 4}"}}'
WRONG_FILES = {
    "verify: a manifest with a line that is not JSON": f"{LINE}\nx\n",
    "verify: a manifest with a line that is cut": f"{LINE}\n{LINE[:50]}",
    "verify: a manifest without keys": f"{LINE}\n" + LINE.replace('"key": "k", ', ""),
    "verify: a manifest with a digest that is none": LINE.replace("abcdef", "ABCDEF"),
    "verify: a manifest of two topics": f"{LINE}\n{LINE}\n",
    "verify: a manifest without lines": "",
    "verify: no manifest": None,
}


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("name", WRONG_FILES)
def test_wrong_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    """A manifest that cannot be read ends it with the file and the line, and 78, before it asks a broker."""
    text, file = WRONG_FILES[name], tmp_path / "manifest.jsonl"
    if text is not None:
        file.write_text(text)
    code = main(["--manifest", str(file)])
    out, err = capsys.readouterr()
    assert (code, out) == (78, "")
    check_row("Tools", name, code, err.splitlines()[-1])


@pytest.mark.parametrize("options", [["--last", "5"], ["--from-timestamp", "5"], ["--follow"]])
def test_options(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    """A manifest excludes the options that name a range of the input, and --follow."""
    with pytest.raises(SystemExit) as ended:
        main(["--manifest", "manifest.jsonl", *options])
    assert ended.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err
