"""A real Prometheus scrapes two workers: the dashboard's expressions have data, and alerts fire."""

import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any, NamedTuple

import pytest
import yaml

from tests.deploy.conftest import ROOT
from tests.deploy.prometheus import Prometheus
from tests.deploy.test_dashboard import queries
from tests.kafka import Kafka, Record
from tests.pipeline.test_health import wait_for
from tests.process import Pipeline, Pipelines, group_of
from tools.broker.ports import free_port
from tools.waiting import wait_until

pytestmark = pytest.mark.long

FOLDER = ROOT / "deploy/observability"
SCRIPT = Path(__file__).parents[1] / "pipeline/run_watched.py"
PATIENCE = 300.0  # seconds; most alerts take one minute
EXPIRED = 3
VARIABLES = {"$__rate_interval": "1m", "$job": "user-login-pipeline", "$instance": ".*", "$topic": ".*"}


class Run(NamedTuple):
    """Two workers of one group, scraped by Prometheus."""

    prometheus: Prometheus
    source: str
    workers: dict[str, Pipeline]
    """By their address."""
    pause: Path
    """While it exists, the first worker fetches nothing after its next batch."""

    def firing(self, name: str, **labels: str) -> list[Any]:
        """Return the alerts of this name, and with these labels, that fire."""
        wanted = {"alertname": name, **labels}.items()
        return [alert for alert in self.prometheus.firing() if wanted <= alert["labels"].items()]

    def wait_for_alert(self, name: str, **labels: str) -> Any:
        """Wait until an alert fires, and return it."""
        return wait_until(lambda: self.firing(name, **labels), f"{name} {labels}", PATIENCE, interval=0.5)[0]


@pytest.fixture(scope="module")
def run(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The workers are ready, and some records have expired before they were read."""
    folder = tmp_path_factory.mktemp("scrape")
    source, target, dead = (kafka.create_topic(f"{name}-scrape", 2) for name in ("in", "out", "dead"))
    produce(kafka, source, 10)
    kafka.commit(group_of(source), source, 0)
    kafka.delete_records(source, EXPIRED)
    pause = folder / "pause"
    ports = [free_port(), free_port()]
    with (
        Prometheus(configuration([f"127.0.0.1:{port}" for port in ports]), folder) as prometheus,
        Pipelines(kafka.address, folder, SCRIPT) as pipelines,
    ):
        workers = {}
        for port in ports:
            settings = {"dead_letter": dead, "HTTP_PORT": port, "PAUSED_WHILE": pause}
            workers[f"127.0.0.1:{port}"] = pipelines.start(source, target, **settings)
            wait_for(port, "/ready", 200)
        yield Run(prometheus, source, workers, pause)


def configuration(targets: list[str]) -> dict[str, Any]:
    """prometheus.yml with these targets, scraped more often."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    found["global"] = dict.fromkeys(found["global"], "1s")
    found["rule_files"] = [str(FOLDER / name) for name in found["rule_files"]]
    (job,) = found["scrape_configs"]
    assert job.pop("dns_sd_configs")
    job["static_configs"] = [{"targets": targets}]
    return found


def produce(kafka: Kafka, topic: str, count: int) -> None:
    """Write logins to both partitions, every other one malformed."""
    values = [b'{"device_type": "ios"}', b"{"]
    now = int(time.time() * 1000)
    kafka.produce(topic, [Record(value=values[n // 2 % 2], partition=n % 2, timestamp=now) for n in range(count)])


def test_dashboard(run: Run, kafka: Kafka) -> None:
    """Each expression of the dashboard returns data while records flow."""
    expressions = {query["expr"] for _, query in queries()}
    for variable, value in VARIABLES.items():
        expressions = {expression.replace(variable, value) for expression in expressions}
    assert not [expression for expression in expressions if "$" in expression]

    def all_have_data() -> bool:
        produce(kafka, run.source, 20)
        expressions.difference_update({expression for expression in expressions if run.prometheus.query(expression)})
        return not expressions

    wait_until(all_have_data, f"data for {expressions}", PATIENCE, interval=1)


def test_expired(run: Run) -> None:
    """LoginPipelineRecordsExpired fires if records expired before the start, and says how many."""
    alert = run.wait_for_alert("LoginPipelineRecordsExpired", topic=run.source, partition="0")
    assert alert["annotations"]["summary"].startswith(f"About {EXPIRED} records of {run.source}[0] expired")


def test_stalled(run: Run, kafka: Kafka) -> None:
    """LoginPipelineStalled and LoginPipelineNotReady fire if a worker no longer fetches. Both end with the cause."""
    address, *_ = run.workers
    run.pause.touch()
    produce(kafka, run.source, 20_000)
    run.wait_for_alert("LoginPipelineStalled", instance=address, topic=run.source)
    run.wait_for_alert("LoginPipelineNotReady", instance=address)
    run.pause.unlink()
    wait_until(lambda: not run.firing("LoginPipelineStalled"), "the end of the alert", PATIENCE, interval=0.5)


def test_down(run: Run) -> None:
    """LoginPipelineWorkerDown fires for a frozen worker, and LoginPipelineDown once all are frozen."""
    (first, frozen), (_, other) = run.workers.items()
    frozen.send(SIGSTOP)
    run.wait_for_alert("LoginPipelineWorkerDown", instance=first)
    assert not run.firing("LoginPipelineDown")
    other.send(SIGSTOP)
    run.wait_for_alert("LoginPipelineDown")
    frozen.send(SIGCONT)
    other.send(SIGCONT)
