"""`docker compose up`: the demo from end to end, scaled to four, killed, and shared with a pipeline on the host."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from runtime import limits
from runtime.settings import ADDRESS
from tests.compose.stack import PATIENCE, ROOT, Stack
from tests.kafka import Kafka
from tests.process import RUNNING, Pipeline
from tools.waiting import wait_until

OURS = ["pipeline", "generator"]


@pytest.fixture(scope="module")
def stack(image: str) -> Iterator[Stack]:
    """The running demo."""
    with Stack(f"{image.partition(':')[0]}-test", "docker-compose.yml", RATE="50", MALFORMED="0.2") as stack:
        stack.up()
        yield stack


@pytest.fixture(params=OURS)
def container(request: pytest.FixtureRequest, stack: Stack) -> dict[str, Any]:
    """The output of `docker inspect` for each of our containers."""
    (found,) = stack.containers(request.param)
    return found


def test_order(stack: Stack) -> None:
    """Kafka, the generator and the pipeline start in this order, and all are healthy."""
    containers = [stack.containers(service)[0] for service in ("kafka", "generator", "pipeline")]
    started = [container["State"]["StartedAt"] for container in containers]
    assert started == sorted(started)
    assert {container["State"]["Health"]["Status"] for container in containers} == {"healthy"}


def test_contract(stack: Stack) -> None:
    """The topics have four partitions, and each login comes out as the contract requires."""
    kafka = Kafka(stack.address)
    assert kafka.partitions("user-login") == kafka.partitions("processed-user-login") == [0, 1, 2, 3]
    assert stack.check_contract() > 0


COMMANDS = {
    "check": "ok      group ",
    "tail -n 1": "processed-user-login[",
    "verify": " records match",
    "replay --dry-run": "would send 0 records back to user-login",
    "try": 'ok {"device_type": "IOS"}',
}


@pytest.mark.parametrize("command", COMMANDS)
def test_command(stack: Stack, command: str) -> None:
    """`docker compose run --rm pipeline COMMAND` runs a command of the pipeline on the demo's broker."""
    settings = []
    if command.startswith("replay"):
        settings = ["-e", f"dead_letter={Kafka(stack.address).create_topic('dead', 4)}"]
    login = '{"device_type": "ios"}\n'
    shown = stack.compose("run", "--rm", "-T", *settings, "pipeline", *command.split(), text=login)
    assert COMMANDS[command] in shown


def test_hardened(container: dict[str, Any]) -> None:
    """Our containers may write only to a small tmpfs, gain no privilege, and have limited resources."""
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Tmpfs"] == {"/tmp": "size=16m,mode=1777,noexec,nosuid,nodev"}  # noqa: S108  (the container's own)
    assert host["Init"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (512 * 1024**2, 10**9, 64)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert container["Config"]["StopTimeout"] > limits.STOP_TIMEOUT + 10
    assert not container["Mounts"]


def test_ports(stack: Stack) -> None:
    """The broker's port and the pipeline's are open to this machine only. The pipeline's has the status page."""
    (kafka,) = stack.containers("kafka")
    (bindings,) = kafka["HostConfig"]["PortBindings"].values()
    assert bindings == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]
    (pipeline,) = stack.containers("pipeline")
    ((binding,),) = filter(None, pipeline["NetworkSettings"]["Ports"].values())
    assert binding["HostIp"] == "127.0.0.1"
    with urlopen(f"http://127.0.0.1:{binding['HostPort']}/status.json") as answer:
        assert json.load(answer)["input"] == "user-login"
    assert " at http://localhost:8081/\n" in stack.compose("logs", "pipeline"), "the first port of the range"
    (generator,) = stack.containers("generator")
    assert not generator["HostConfig"]["PortBindings"]


def test_volume(stack: Stack) -> None:
    """Kafka's data are in the named volume."""
    (kafka,) = stack.containers("kafka")
    places = {mount["Destination"]: mount["Name"] for mount in kafka["Mounts"]}
    assert places["/var/lib/kafka/data"].endswith("_kafka-data")
    assert "user-login-0" in stack.shell("kafka", "ls /var/lib/kafka/data").split()


@pytest.mark.parametrize("service", OURS)
def test_from_inside(stack: Stack, service: str) -> None:
    """Processes in the containers have no capability and no new privileges, and can write only to /tmp."""
    status = dict(line.split(":\t", 1) for line in stack.shell(service, "cat /proc/1/status").splitlines())
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    tried = stack.shell(
        service, "for f in / /app /opt/packages /tmp /var/tmp; do (: >$f/x) 2>/dev/null && echo $f; done; :"
    )
    assert tried.split() == ["/tmp"]  # noqa: S108  (the container's own)


def test_shared_with_the_host(stack: Stack) -> None:
    """`python pipeline.py` with the committed .env reaches the broker, joins the group and shares the partitions."""
    with Pipeline({ADDRESS: stack.address}, ROOT) as pipeline:
        pipeline.wait_for(RUNNING, timeout=PATIENCE)
        stack.wait_for_shares(2, 2)
        assert pipeline.stop() == 0
    stack.wait_for_shares(4)
    stack.check_contract()


def test_scaled(stack: Stack) -> None:
    """Four pipelines have one partition each, and a single one has all four. Nothing is lost or duplicated."""
    stack.up("--no-recreate", "--scale", "pipeline=4")
    stack.wait_for_shares(1, 1, 1, 1)
    stack.up("--no-recreate", "--scale", "pipeline=1")
    stack.wait_for_shares(4)
    stack.check_contract()


def test_stopped(stack: Stack) -> None:
    """`docker compose stop` makes the pipeline commit, exit with 0, and stay stopped."""
    stack.compose("stop", "pipeline")
    (container,) = stack.containers("pipeline")
    assert (container["State"]["Status"], container["State"]["ExitCode"]) == ("exited", 0)
    assert "stopped: " in stack.compose("logs", "--tail", "1", "pipeline")
    stack.up()
    stack.check_contract()


def test_killed(stack: Stack) -> None:
    """A killed pipeline is restarted and resumes. Nothing is lost or duplicated."""
    before = stack.check_contract()
    stack.shell("pipeline", "kill -KILL $(cat /proc/1/task/1/children)")

    def is_back() -> bool:
        (container,) = stack.containers("pipeline")
        state = container["State"]
        return bool(container["RestartCount"] == 1 and state["Running"] and state["Health"]["Status"] == "healthy")

    wait_until(is_back, "a pipeline that is back and healthy", PATIENCE)
    stack.wait_for_shares(4)
    assert stack.check_contract() > before
