"""The alerts in deploy/observability: each fires if it should and only then, and has its section in the docs."""

import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.deploy.conftest import ROOT
from tests.deploy.prometheus import program
from tests.docs.pages import anchors, read

FOLDER = ROOT / "deploy/observability"
PAGE = "docs/operations.md"
(GROUP,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
ALERTS: dict[str, Any] = {rule["alert"]: rule for rule in GROUP["rules"] if "alert" in rule}


class Firing(NamedTuple):
    """An alert that fires."""

    summary: str
    labels: dict[str, str] = {}  # noqa: RUF012  (nothing writes to it)


class Case(NamedTuple):
    """What Prometheus has scraped every 10 s, in promtool's notation, and what an alert does then."""

    alert: str
    why: str
    series: dict[str, str]
    at: str
    firing: list[Firing] = []  # noqa: RUF012  (nothing writes to it)


def worker(name: str) -> str:
    """The labels that Prometheus gives to a worker."""
    return f'job="user-login-pipeline",instance="{name}"'


JOB = {"job": "user-login-pipeline"}
A = {**JOB, "instance": "a"}
PLACE = 'topic="logins",partition="2"'
IN_PLACE = {"topic": "logins", "partition": "2"}
READY, UP = "login_pipeline_ready", "up"
STARTED = "process_start_time_seconds"
RECORDS, MALFORMED = "login_pipeline_records_in_total", "login_pipeline_malformed_records_total"
STALLED, LAG = "login_pipeline_stalled_seconds", "login_pipeline_lag_seconds"
FAILURES, REBALANCES = "login_pipeline_checkpoint_failures_total", "login_pipeline_rebalances_total"
EXPIRED = "login_pipeline_expired_records_total"
REFUSED = 'reason="refused_timestamp"'
BY_REASON = {**A, "reason": "refused_timestamp"}


def on(name: str, *labels: str) -> str:
    """A metric of worker a."""
    return f"{name}{{{','.join([worker('a'), *labels])}}}"


CASES = [
    Case("LoginPipelineDown", "Prometheus has never scraped a worker", {"unrelated": "1+0x6"}, "30s", [
        Firing("No worker is ready, so no records are processed.", JOB)]),
    Case("LoginPipelineDown", "the only worker stops and leaves DNS", {on(READY): "1+0x6 stale"}, "100s", [
        Firing("No worker is ready, so no records are processed.", JOB)]),
    Case("LoginPipelineDown", "both workers run, but are not ready",
        {on(READY): "1+0x6 0+0x6", f"{READY}{{{worker('b')}}}": "1+0x6 0+0x6"}, "100s", [
        Firing("No worker is ready, so no records are processed.", JOB)]),
    Case("LoginPipelineDown", "one of two workers is away",
        {on(READY): "1+0x6 stale", f"{READY}{{{worker('b')}}}": "1+0x30"}, "5m"),
    Case("LoginPipelineDown", "the worker restarts within 10 s", {on(READY): "1+0x6 stale 1+0x6"}, "100s"),
    Case("LoginPipelineWorkerDown", "one of two workers is frozen",
        {on(UP): "1+0x6 0+0x6", f"{UP}{{{worker('b')}}}": "1+0x30"}, "110s", [
        Firing("Worker a does not answer Prometheus.", A)]),
    Case("LoginPipelineWorkerDown", "a worker takes 20 s to start", {on(UP): "0+0x1 1+0x6"}, "1m"),
    Case("LoginPipelineWorkerDown", "another job is down", {'up{job="kafka",instance="a"}': "0+0x30"}, "5m"),
    Case("LoginPipelineRestartLoop", "it has started four times in two minutes",
        {on(STARTED): "100+0x3 140+0x3 180+0x3 220+0x3"}, "160s", [
        Firing("Worker a has restarted 3 times in 30 minutes.", A)]),
    Case("LoginPipelineRestartLoop", "Kubernetes restarts it every 5 minutes by now",
        {on(STARTED): " ".join(f"{start}+0x5 _x26" for start in range(1, 14))}, "62m", [
        Firing("Worker a has restarted 5 times in 30 minutes.", A)]),
    Case("LoginPipelineRestartLoop", "two updates within half an hour", {on(STARTED): "1+0x60 2+0x60 3+0x60"}, "30m"),
    Case("LoginPipelineNotReady", "one of two workers waits for its broker",
        {on(READY): "1+0x6 0+0x6", f"{READY}{{{worker('b')}}}": "1+0x30"}, "100s", [
        Firing("Worker a runs, but is not ready; its partitions wait.", A)]),
    Case("LoginPipelineNotReady", "a rebalance of 10 s", {on(READY): "1+0x6 0 1+0x6"}, "100s"),
    Case("LoginPipelineStalled", "a partition without a leader", {on(STALLED, PLACE): "0+0x5 0+10x6"}, "100s", [
        Firing("logins[2] has made no progress for 40s.", {**A, **IN_PLACE})]),
    Case("LoginPipelineStalled", "a leader moves within 30 s", {on(STALLED, PLACE): "0+0x5 0+10x3 0+0x6"}, "100s"),
    Case("LoginPipelineLag", "too few workers, in spite of a rebalance",
        {on(LAG, PLACE): "50+10x3 stale", f"{LAG}{{{worker('b')},{PLACE}}}": "_x3 90+10x6"}, "60s", [
        Firing("The worker of logins[2] is 2m 0s behind.", {**JOB, **IN_PLACE})]),
    Case("LoginPipelineLag", "a killed worker's partition moves after 40 s and is read within 20 s",
        {on(LAG, PLACE): "0+0x6 10+10x4 60 70 10 0+0x6"}, "3m"),
    Case("LoginPipelineMalformed", "a producer sends 20 % malformed records after a good hour",
        {on(RECORDS): "0+1000x400", on(MALFORMED, 'reason="invalid_json"'): "0+0x360 0+200x40"}, "65m", [
        Firing("19.33% of the records are malformed, more than usual.", JOB)]),
    Case("LoginPipelineMalformed", "all records are malformed from the start",
        {on(RECORDS): "0+10x30", on(MALFORMED, 'reason="invalid_json"'): "0+10x30"}, "3m", [
        Firing("100% of the records are malformed, more than usual.", JOB)]),
    Case("LoginPipelineMalformed", "20 % are usual here, and 30 % arrive",
        {on(RECORDS): "0+1000x400", on(MALFORMED, 'reason="invalid_json"'): "0+200x360 72000+300x40"}, "65m"),
    Case("LoginPipelineMalformed", "one of two records",
        {on(RECORDS): "0+0x360 1 2+0x40", on(MALFORMED, 'reason="invalid_json"'): "0+0x360 1+0x40"}, "62m"),
    Case("LoginPipelineMalformed", "no records at all",
        {on(RECORDS): "0+0x400", on(MALFORMED, 'reason="invalid_json"'): "0+0x400"}, "65m"),
    Case("LoginPipelineMalformed", "a restart: the counters begin again",
        {on(RECORDS): "0+1000x100 0+1000x100", on(MALFORMED, 'reason="invalid_json"'): "0+10x100 0+10x100"}, "20m"),
    Case("LoginPipelineCheckpointFailures", "the broker refuses one commit after the other",
        {on(FAILURES): "0+0x6 0+1x6"}, "110s", [
        Firing("Checkpoints of worker a fail; it processes their records again.", A)]),
    Case("LoginPipelineCheckpointFailures", "two failures, as a broker restarts",
        {on(FAILURES): "0+0x6 1 2+0x30"}, "5m"),
    Case("LoginPipelineCheckpointFailures", "a restart: the counter begins again",
        {on(FAILURES): "9+0x6 0+0x30"}, "5m"),
    Case("LoginPipelineRebalanceStorm", "a worker leaves and joins again and again",
        {on(REBALANCES): "1+0.2x120"}, "15m", [
        Firing("The group has rebalanced 6 times in 5 minutes; each time, its workers pause.", JOB)]),
    Case("LoginPipelineRebalanceStorm", "an update of ten workers takes three minutes",
        {on(REBALANCES): "1+1x20 21+0x120"}, "14m"),
    Case("LoginPipelineRecordsRefused", "records with old timestamps arrive",
        {on(MALFORMED, REFUSED): "0+0x6 0+5x30"}, "80s", [
        Firing("About 5 records have a timestamp that the output topic refuses.", BY_REASON)]),
    Case("LoginPipelineRecordsRefused", "they arrived before the first scrape",
        {on(MALFORMED, REFUSED): "7+0x30"}, "1m", [
        Firing("About 7 records have a timestamp that the output topic refuses.", BY_REASON)]),
    Case("LoginPipelineRecordsRefused", "they arrived an hour ago", {on(MALFORMED, REFUSED): "7+0x400"}, "1h"),
    Case("LoginPipelineRecordsRefused", "other reasons", {on(MALFORMED, 'reason="invalid_json"'): "0+5x30"}, "5m"),
    Case("LoginPipelineRecordsExpired", "they expired before the start", {on(EXPIRED, PLACE): "300+0x30"}, "1m", [
        Firing("About 300 records of logins[2] expired unread; they are lost.", {**A, **IN_PLACE})]),
    Case("LoginPipelineRecordsExpired", "more expire two hours later",
        {on(EXPIRED, PLACE): "300+0x720 340+0x30"}, "2h1m", [
        Firing("About 40 records of logins[2] expired unread; they are lost.", {**A, **IN_PLACE})]),
    Case("LoginPipelineRecordsExpired", "they expired an hour ago", {on(EXPIRED, PLACE): "300+0x400"}, "1h"),
]  # fmt: skip


def promtool(*arguments: str | Path) -> None:
    """Run promtool. Raise an AssertionError with its output if it finds a mistake."""
    done = subprocess.run([program("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_syntax() -> None:
    """Prometheus accepts prometheus.yml, and the rules that it names."""
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert.removeprefix('LoginPipeline')}, {case.why}")
def test_fires(case: Case, tmp_path: Path) -> None:
    """An alert fires in the situations that it is for, with its labels and texts, and in no other."""
    rule = ALERTS[case.alert]
    expected = [
        {
            "exp_labels": rule["labels"] | firing.labels,
            "exp_annotations": rule["annotations"] | {"summary": firing.summary},
        }
        for firing in case.firing
    ]
    test = {
        "interval": "10s",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [{"alertname": case.alert, "eval_time": case.at, "exp_alerts": expected}],
    }
    file = tmp_path / "test.yml"
    content = {"rule_files": [str(FOLDER / "alerts.yml")], "evaluation_interval": "10s", "tests": [test]}
    file.write_text(yaml.safe_dump(content))
    promtool("test", "rules", file)


def test_cases() -> None:
    """Each alert has a case that fires and one that does not."""
    for fires in (True, False):
        assert {case.alert for case in CASES if bool(case.firing) is fires} == set(ALERTS)


def test_docs() -> None:
    """docs/operations.md has a section for each alert, which begins with its severity, and for no other."""
    section = read(PAGE).split("\n## Alerts\n")[1].split("\n## ")[0]
    severities = dict(re.findall(r"^### (\w+)\n\n(\w+), ", section, re.MULTILINE))
    assert severities == {name: rule["labels"]["severity"].capitalize() for name, rule in ALERTS.items()}
    for name, rule in ALERTS.items():
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == f"{PAGE}#{name.lower()}"
        assert name.lower() in anchors(read(PAGE))
