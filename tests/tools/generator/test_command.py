"""The generator's settings, its pace, and what it does if the broker is slow or refuses records."""

import os
import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from quixstreams.kafka import Producer

from runtime.errors import Failed, Misconfigured, Refused, Unavailable
from runtime.stop.signals import stop_request
from tests.errors_page import check_row
from tools.generator.command import GeneratorSettings, Sender, main
from tools.generator.schedule import BACKLOG, Schedule

ROOT = Path(__file__).parents[3]
VARIABLES = {str(field.validation_alias) for field in GeneratorSettings.model_fields.values()}
NOT_OURS = {
    name: value for name, value in os.environ.items() if name not in VARIABLES | {"KAFKA_TOPIC", "BOOTSTRAP_SERVERS"}
}


SECTION = "Tools"


# ---- settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which none of the generator's settings is set."""
    for name in set(os.environ) - set(NOT_OURS):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "topic"),
    [
        ({}, "user-login"),
        ({"output": "one"}, "one"),
        ({"KAFKA_TOPIC": "two"}, "two"),
        ({"output": "one", "KAFKA_TOPIC": "two"}, "one"),
        ({"output": "", "KAFKA_TOPIC": "two"}, "two"),
        ({"OUTPUT": "three"}, "user-login"),
        ({"input": "four"}, "user-login"),
    ],
)
def test_topic(environment: pytest.MonkeyPatch, variables: dict[str, str], topic: str) -> None:
    """The topic is `output`, else the original's KAFKA_TOPIC, else user-login."""
    for name, value in variables.items():
        environment.setenv(name, value)
    assert GeneratorSettings.load().topic == topic


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, "localhost:29092"),
        ({"Quix__Broker__Address": "one:1"}, "one:1"),
        ({"BOOTSTRAP_SERVERS": "two:2"}, "two:2"),
        ({"Quix__Broker__Address": "one:1", "BOOTSTRAP_SERVERS": "two:2"}, "one:1"),
        ({"Quix__Sdk__Token": "token", "Quix__Portal__Api": "https://portal.example"}, None),
        ({"Quix__Sdk__Token": "token", "BOOTSTRAP_SERVERS": "two:2"}, "two:2"),
    ],
)
def test_address(environment: pytest.MonkeyPatch, variables: dict[str, str], address: str | None) -> None:
    """The address is Quix's variable, else the original's BOOTSTRAP_SERVERS, else the demo's. Quix Cloud needs none."""
    for name, value in variables.items():
        environment.setenv(name, value)
    settings = GeneratorSettings.load()
    connection = settings.connection()
    assert settings.address == address
    assert (connection and connection.bootstrap_servers) == address


@pytest.mark.parametrize(("name", "field"), [("SEED", "seed"), ("Quix__Broker__Address", "address")])
def test_empty(environment: pytest.MonkeyPatch, name: str, field: str) -> None:
    """An empty SEED or address counts as unset."""
    default = GeneratorSettings.load()
    environment.setenv(name, "")
    assert GeneratorSettings.load() == default
    assert getattr(default, field) == GeneratorSettings.model_fields[field].default


def test_dotenv(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `.env` file is the pipeline's and is not read, neither in the repository nor in the working folder."""
    assert "\noutput=processed-user-login\n" in (ROOT / ".env").read_text()
    (tmp_path / ".env").write_text("output=wrong\nRATE=wrong\n")
    for folder in (ROOT, tmp_path):
        environment.chdir(folder)
        assert GeneratorSettings.load().topic == "user-login"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE", "-1"),
        ("RATE", "fast"),
        ("RATE", "nan"),
        ("RATE", "inf"),
        ("RATE", ""),
        ("COUNT", "-1"),
        ("COUNT", "1.5"),
        ("SEED", "-1"),
        ("SEED", "abc"),
        ("SEED", f"{2**63}"),
        ("COUNT", f"{2**63}"),
        ("MALFORMED", "1.01"),
        ("MALFORMED", "-0.1"),
        ("TOPIC_PARTITIONS", "0"),
        ("output", "user login"),
        ("output", "."),
        ("output", "__transaction_state"),
        ("output", "x" * 250),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("BROKER_SECURITY_PROTOCOL", "magic"),
        ("BROKER_SSL_CA_LOCATION", "no/such/file.pem"),
    ],
)
def test_wrong_setting(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong setting is refused in one line that names it."""
    environment.setenv(name, value)
    with pytest.raises(Misconfigured) as refused:
        GeneratorSettings.load()
    assert str(refused.value).startswith(f"{name} ")
    assert value[:30] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


# ---- pace


def send_times(rate: float, seconds: float, held_up: tuple[float, float] = (0.0, 0.0)) -> list[float]:
    """When a schedule sends, on a clock that turns in steps of 1 ms and is held up from one moment to another."""
    schedule, now, times = Schedule(rate, now=1000.0), 1000.0, []
    while now < 1000.0 + seconds:
        while schedule.pause(now) <= 0:
            times.append(now - 1000.0)
            schedule.sent(now)
        now += 0.001
        if held_up[0] <= now - 1000.0 < held_up[1]:
            now = 1000.0 + held_up[1]
    return times


@pytest.mark.parametrize("rate", [0.5, 2.0, 7.0, 100.0, 999.0])
def test_steady(rate: float) -> None:
    """Records are sent at the rate asked for, the first at once, evenly and without drift."""
    times = send_times(rate, seconds=60)
    assert times[0] == 0
    assert len(times) == pytest.approx(60 * rate, abs=1)
    assert all(later - earlier == pytest.approx(1 / rate, abs=0.0021) for earlier, later in pairwise(times))


@pytest.mark.parametrize(("held_up_for", "made_up_for"), [(0.5, 0.5), (BACKLOG, BACKLOG), (30.0, BACKLOG)])
def test_hold_up(held_up_for: float, made_up_for: float) -> None:
    """After a delay, what was missed is sent at once, but never more than BACKLOG seconds' worth."""
    counts = Counter(round(moment, 3) for moment in send_times(100.0, 40.0, held_up=(5.0, 5.0 + held_up_for)))
    assert counts.pop(5.0 + held_up_for) == pytest.approx(100 * made_up_for, abs=2)
    assert max(counts.values()) == 1


def test_no_limit() -> None:
    """With a rate of 0 the next record is always due."""
    schedule = Schedule(0, now=5.0)
    for now in (5.0, 5.0, 5.0, 5.1, 99.0):
        assert schedule.pause(now) <= 0
        schedule.sent(now)


# ---- what a broker does only when it is slow or refuses records


class TroubledProducer:
    """A stand-in for a producer that can be full, or refuse records."""

    def __init__(self, full: int = 0, refused: KafkaError | None = None) -> None:
        self.keys: list[bytes] = []
        self.full = full
        self._refused = refused

    def produce(self, _topic: str, _value: bytes | None, key: bytes, **options: Any) -> None:
        """Take a record, or not."""
        if self.full:
            raise BufferError
        self.keys.append(key)
        options["on_delivery"](self._refused, None)

    def poll(self, _timeout: float) -> None:
        """Make room."""
        self.full = max(0, self.full - 1)

    def flush(self, _timeout: float) -> int:
        """Nothing is left."""
        return 0


def sender(producer: TroubledProducer, **settings: str) -> Sender:
    """Return a sender with these settings that sends as fast as possible."""
    return Sender(cast("Producer", producer), "some-topic", GeneratorSettings.model_validate({"RATE": "0", **settings}))


def test_full_queue() -> None:
    """While the producer has no room the same record waits: none is left out, none is sent twice."""
    expected, waiting = TroubledProducer(), TroubledProducer(full=3)
    for producer in (expected, waiting):
        sender(producer, SEED="5", COUNT="20").run()
    assert waiting.keys == expected.keys
    assert len(waiting.keys) == 20


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (KafkaError._MSG_TIMED_OUT, Unavailable),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Refused),
        (KafkaError.TOPIC_EXCEPTION, Failed),
    ],
)
def test_refused(code: int, raised: type[Exception]) -> None:
    """A record that cannot be delivered stops it with an error, and is counted."""
    sending = sender(TroubledProducer(refused=KafkaError(code)))
    with pytest.raises(raised):
        sending.run()
    assert re.fullmatch(r"1 sent to user-login \(\w+ 1\), 1 of them not delivered", str(sending))


def test_asked_to_stop_while_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop while the producer has no room, it stops, and does not count the record that waited."""
    producer = TroubledProducer(full=10**9)
    monkeypatch.setattr(producer, "poll", lambda _timeout: setattr(stop_request, "requested", True))
    monkeypatch.setattr(stop_request, "requested", False)
    sending = sender(producer, COUNT="1000")
    sending.run()
    assert str(sending) == "0 sent to user-login"


WRONG = {
    "generator: a RATE that is no number": {"RATE": "fast"},
    "generator: a SEED of 5,000 digits": {"SEED": "7" * 5000},
    "generator: a topic of Kafka's own": {"output": "__consumer_offsets"},
    "generator: a topic named `..`": {"KAFKA_TOPIC": ".."},
}


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("name", WRONG)
def test_wrong_setting_as_a_process(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A wrong setting ends it with one line, no stack trace, and 78."""
    environment.setattr(sys, "argv", ["generator"])
    for variable, value in WRONG[name].items():
        environment.setenv(variable, value)
    code = main()
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    check_row(SECTION, name, code, line)
    assert code == 78
