"""Quix's private names that runtime/ uses are there and are what they were."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import quixstreams
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from quixstreams.checkpointing import Checkpoint
from quixstreams.core.stream import Stream
from quixstreams.core.stream.functions import UpdateWithMetadataFunction
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.internal_consumer import InternalConsumer
from quixstreams.internal_producer import InternalProducer
from quixstreams.kafka import Producer
from quixstreams.processing import ProcessingContext
from quixstreams.runtracker import RunTracker
from quixstreams.state import StateStoreManager

from runtime import limits
from runtime.connect.timestamp_limits import TimestampLimits
from runtime.connect.topic_ids import TopicIds
from runtime.errors import Failed
from runtime.explain import EVICTED_TEXT, explain
from runtime.loop import application
from runtime.loop.application import Application
from runtime.loop.commit import CommitWatchdog
from runtime.loop.output_record import Output
from runtime.loop.sink import Sink
from runtime.settings import Settings
from runtime.stop.membership import unmask_callback_error
from runtime.stop.signals import stop_request

LOOK = "quixstreams has changed: compare its source with what {} relies on, then move the pin in pyproject.toml"

SIGNATURES: list[tuple[Callable[..., Any], list[str], str]] = [
    (quixstreams.Application._run_dataframe, ["self", "sink"], "Application._run_dataframe"),
    (quixstreams.Application._process_message, ["self", "dataframe_composed"], "Application._process_message"),
    (quixstreams.Application._on_assign, ["self", "_", "topic_partitions"], "Application._on_assign"),
    (quixstreams.Application._on_revoke, ["self", "_", "topic_partitions"], "Application._on_revoke"),
    (quixstreams.Application.stop, ["self", "fail"], "Application._on_lost: it sets `_failed`"),
    (quixstreams.Application._on_lost, ["self", "_", "topic_partitions"], "Application._on_lost"),
    (quixstreams.Application._setup_signal_handlers, ["self"], "Application._setup_signal_handlers"),
    (RunTracker.set_as_running, ["self"], "_RunTracker.set_as_running"),
    (RunTracker.stop, ["self"], "_RunTracker.set_as_running"),
    (InternalProducer._on_delivery, ["self", "err", "msg"], "Application.open_topics"),
    (InternalProducer._raise_for_error, ["self"], "Sink._produce_later, ProducerRenewal.discard"),
    (InternalProducer.begin_transaction, ["self"], "ProducerRenewal.begin_transaction"),
    (
        InternalProducer.commit_transaction,
        ["self", "positions", "group_metadata", "timeout"],
        "ProducerRenewal.commit_transaction",
    ),
    (InternalProducer.purge, ["self"], "ProducerRenewal.discard"),
    (InternalProducer._broker_available, ["self"], "Application._process_message"),
    (InternalConsumer._broker_available, ["self"], "Application._process_message"),
    (InternalConsumer.consume, ["self", "num_messages", "timeout"], "Batches.take"),
    (ProcessingContext.store_offset, ["self", "topic", "partition", "offset"], "Batches._finish"),
    (ProcessingContext.commit_checkpoint, ["self", "force", "revoking"], "Checkpoints.end"),
    (ProcessingContext.init_checkpoint, ["self"], "Checkpoints.retry"),
    (Stream.add_function, ["self", "func"], "_DataFrame.to_topic"),
    (UpdateWithMetadataFunction.get_executor, ["self", "child_executors"], "Sink.get_executor"),
    (UpdateWithMetadataFunction._resolve_branching, ["self", "child_executors"], "Sink.get_executor"),
    (
        StreamingDataFrame.__init__,
        ["self", "topics", "topic_manager", "registry", "processing_context", "stream", "stream_id"],
        "Application.dataframe",
    ),
    (StreamingDataFrame._produce, ["self", "topic", "value", "key", "timestamp", "headers"], "_DataFrame.to_topic"),
]


@pytest.mark.parametrize(
    ("function", "parameters", "user"), SIGNATURES, ids=[row[0].__qualname__ for row in SIGNATURES]
)
def test_signature(function: Callable[..., Any], parameters: list[str], user: str) -> None:
    """A private method takes what it took."""
    assert list(inspect.signature(function).parameters) == parameters, LOOK.format(user)


CALLS: list[tuple[Callable[..., Any], str, str]] = [
    (quixstreams.Application._run_dataframe, r"process_message\(dataframes_composed\)", "Application._process_message"),
    (quixstreams.Application._run_dataframe, r"processing_context\.commit_checkpoint\(\)", "Checkpoints.end"),
    (quixstreams.Application._run_dataframe, r"run_tracker\.set_as_running\(\)", "_RunTracker.set_as_running"),
    (quixstreams.Application._run_dataframe, r"dataframe_registry\.compose_all\(", "Sink.connect"),
    (Checkpoint.expired, r"0 < self\._commit_every <= ", "Application.__init__"),
    (Checkpoint.commit, r"self\._consumer\.commit\(offsets=offsets, asynchronous=False\)", "Application.__init__"),
    (
        quixstreams.Application._on_revoke,
        r"self\._processing_context\.commit_checkpoint\(force=True, revoking=True\)",
        "Application._run_dataframe",
    ),
    (Checkpoint.__init__, r"self\._producer\.begin_transaction\(\)", "ProducerRenewal.begin_transaction"),
    (Checkpoint.commit, r"self\._producer\.commit_transaction\(\s+offsets,", "ProducerRenewal.commit_transaction"),
    (InternalProducer.flush, r"self\._raise_for_error\(\)", "Application.open_topics: failed deliveries are raised"),
    (Producer.__init__, r"self\._producer_config = ", "Application.open_topics"),
    (StateStoreManager._init_state_dir, r"if self\._state_dir is None:\s+return", "Application.run"),
]


@pytest.mark.parametrize(
    ("function", "pattern", "user"), CALLS, ids=[f"{row[0].__qualname__} {row[1]}" for row in CALLS]
)
def test_body(function: Callable[..., Any], pattern: str, user: str) -> None:
    """A method does what the pipeline counts on."""
    assert re.search(pattern, inspect.getsource(function)), LOOK.format(user)


ATTRIBUTES = [
    "_failed",
    "_batches",
    "_config.commit_every",
    "_consumer._broker_available",
    "_consumer._consumer_config",
    "_dataframe_registry.register_root",
    "_processing_context.commit_checkpoint",
    "_processing_context.commit_every",
    "_producer._active_transaction",
    "_producer._error",
    "_producer._producer._inner_producer",
    "_producer._producer._producer_config",
    "_producer._producer.transactional",
    "_run_tracker.running",
    "_state_manager._state_dir",
    "_state_manager.stores",
    "_topic_manager.topics",
]


@pytest.mark.parametrize("path", ATTRIBUTES)
def test_attribute(path: str) -> None:
    """A private attribute is where it was."""
    value: object = Application(Settings())
    for name in path.split("."):
        assert hasattr(value, name), LOOK.format(f"runtime/ ({path})")
        value = getattr(value, name)


def test_pinned() -> None:
    """The pin of quixstreams is the minor version that these names were read in."""
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    major, minor, _ = quixstreams.__version__.split(".")
    assert f'"quixstreams>={major}.{minor},<{major}.{int(minor) + 1}"' in project


@pytest.mark.parametrize(
    ("error", "told", "is_told"),
    [
        (SystemError("returned NULL without setting an exception"), Failed(EVICTED_TEXT), True),
        (SystemError("returned NULL without setting an exception"), None, False),
        (RuntimeError("another"), Failed(EVICTED_TEXT), False),
    ],
)
def test_lost_exception(error: Exception, told: Exception | None, *, is_told: bool) -> None:
    """Where confluent-kafka has lost what a callback of ours raised, that is still what is told; nothing else is."""
    assert unmask_callback_error(error, told) is (told if is_told else error)


@pytest.mark.parametrize(
    ("answered", "code", "said"), [(True, 70, EVICTED_TEXT), (False, 69, "no broker answers at kafka:9")]
)
def test_commits_are_watched(monkeypatch: pytest.MonkeyPatch, code: int, said: str, *, answered: bool) -> None:
    """Beside a commit that takes long, the producer looks for brokers; one that is overdue ends the process."""
    seen: list[Callable[..., None]] = []
    hurried: list[bool] = []
    monkeypatch.setattr(application, "gc", SimpleNamespace(freeze=list, set_threshold=bool))
    monkeypatch.setattr(limits, "METADATA_TIMEOUT", 0.2)
    monkeypatch.setattr(stop_request, "start_failure_deadline", lambda: hurried.append(True))
    monkeypatch.setattr(
        quixstreams.Application,
        "_run_dataframe",
        lambda self, _sink: seen.append(self._processing_context.commit_checkpoint),
    )
    app = Application(
        Settings.model_validate({"PROCESSING_GUARANTEE": "at-least-once", "Quix__Broker__Address": "127.0.0.1:9"})
    )
    app._output = Output("out", 1_000_000, TimestampLimits({}), app.totals)
    app._sink = Sink("out", app._output, app._batches)
    app._positions.topic_ids = TopicIds(AdminClient({"bootstrap.servers": "127.0.0.1:9"}), {}, str)
    app._run_dataframe()
    (watched,) = seen
    assert isinstance(watched, CommitWatchdog)
    assert watched._refresh_metadata == app._refresh_metadata
    with pytest.raises(KafkaException, match="metadata"):
        app._refresh_metadata()

    app._refresh_metadata = bool if answered else no_broker  # type: ignore[assignment,method-assign]
    watched._on_timeout()
    assert hurried
    assert app._failure is not None
    told = explain(app._failure, "kafka:9")
    assert told.exit_code == code
    assert said in str(told)


@pytest.mark.parametrize("leave", [lambda app: app.stop(fail=True), lambda app: setattr(app, "_finished", True)])
def test_lost_while_leaving(leave: Callable[[Application], None]) -> None:
    """Partitions that are lost on the way out don't hide what stops it, and are no failure where all is committed."""
    app = Application(Settings())
    leave(app)
    app._on_lost(None, [])
    assert app._failure is None


@pytest.mark.parametrize("callback", ["_on_assign", "_on_revoke"])
def test_failed_rebalance(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rebalance raises is kept, as confluent-kafka may lose it."""
    monkeypatch.setattr(quixstreams.Application, callback, no_broker)
    app = Application(Settings())
    app._positions.assign = no_partitions  # type: ignore[assignment,method-assign]
    with pytest.raises(KafkaException) as raised:
        getattr(app, callback)(None, [])
    assert app._failure is raised.value


@pytest.mark.parametrize(
    ("answered", "code", "said"), [(True, 70, EVICTED_TEXT), (False, 69, "no broker answers at kafka:9")]
)
def test_lost_partitions(code: int, said: str, *, answered: bool) -> None:
    """Partitions are lost to the group, or with the last broker: what stops the pipeline tells which."""
    app = Application(Settings())
    app._refresh_metadata = bool if answered else no_broker  # type: ignore[assignment,method-assign]
    with pytest.raises((Failed, KafkaException)) as lost:
        app._on_lost(None, [])
    told = explain(lost.value, "kafka:9")
    assert told.exit_code == code
    assert said in str(told)


def no_broker(*_: object) -> None:
    """What a client raises that no broker answers."""
    raise KafkaException(KafkaError(KafkaError._TRANSPORT))


def no_partitions(_partitions: object) -> None:
    """What a worker without partitions has to decide."""
