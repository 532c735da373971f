"""quixstreams is what runtime/ was written for: its private names, and what the methods do that it relies on."""

import ast
import hashlib
import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import quixstreams
from quixstreams.checkpointing import Checkpoint
from quixstreams.core.stream import Stream
from quixstreams.core.stream.functions import StreamFunction
from quixstreams.internal_consumer import InternalConsumer
from quixstreams.internal_producer import InternalProducer
from quixstreams.kafka import Producer
from quixstreams.models import Topic
from quixstreams.processing import ProcessingContext
from quixstreams.runtracker import RunTracker
from quixstreams.state import StateStoreManager

from runtime.loop import quix
from runtime.loop.application import Application
from runtime.loop.sink import Sink
from runtime.settings import Settings

ROOT = Path(__file__).parents[3]
MOST = 14
"""Private names of quixstreams that the pipeline may use."""

Quix = quixstreams.Application
RELIED_ON: list[tuple[Callable[..., Any], str, str]] = [
    (Quix._run_dataframe, "3309c346f813", "Application.run_loop: what happens before and in the loop, in which order"),
    (Quix._process_message, "29d0171a33f1", "Application.iterate does what it does, for a batch"),
    (Quix._on_assign, "649c087559d4", "Application.assign"),
    (Quix._assign_partitions, "832c2d9ca9d2", "Application.assign: assigns at the offsets that Positions sets"),
    (Quix._on_revoke, "3583f0b20d3b", "Application.revoke: commits, unless the application failed"),
    (Quix._on_lost, "0edfd426aa05", "Application.lose is in its place"),
    (Quix._setup_signal_handlers, "737a215afee3", "QuixApplication: runtime/stop/signals.py handles signals"),
    (Quix.run, "8a851b5b0ff5", "Application.run: what is entered before the loop, and left after it"),
    (Quix.stop, "afa4475c3501", "Application.iterate: ends the loop after that iteration"),
    (Quix._exception_handler, "df8c7b4b98c5", "Application.lose: no commit after a failure"),
    (RunTracker.stop, "d6b3efe510ec", "Application.iterate: what `stop` does to the loop"),
    (RunTracker.set_as_running, "55f9bfbccf8b", "Application.iterate: forgets a `stop` before it, so we ask again"),
    (InternalProducer._on_delivery, "d224f3f5627d", "QuixProducer.config: is the delivery callback"),
    (InternalProducer._raise_for_error, "e84c5079f03e", "QuixProducer.raise_for_error"),
    (InternalProducer._broker_available, "016ed8ce2353", "QuixApplication.note_broker_available"),
    (InternalConsumer._broker_available, "2648e850b760", "QuixApplication.note_broker_available"),
    (InternalProducer.begin_transaction, "079297938cb0", "ProducerRenewal.begin_transaction is in its place"),
    (InternalProducer.commit_transaction, "7bde107a94cf", "ProducerRenewal.commit_transaction is in its place"),
    (InternalProducer.abort_transaction, "cbdcbe97ba02", "Application.run: what happens to the open transaction"),
    (InternalProducer.flush, "11ffc80be581", "Checkpoints: raises failed deliveries"),
    (InternalProducer.purge, "84e242477275", "ProducerRenewal.discard"),
    (Producer.__init__, "9e545ff54e14", "QuixProducer.config"),
    (vars(Producer)["_producer"].fget, "11ba878b0156", "QuixProducer.replace: makes no producer of its own then"),
    (Producer._error_cb, "c51490bc8585", "Application.__init__: all brokers away for too long"),
    (InternalConsumer.consume, "b1729402b07f", "Batches.take"),
    (ProcessingContext.store_offset, "71601d34364c", "Batches.handle"),
    (ProcessingContext.commit_checkpoint, "bebf0e223a8f", "Checkpoints.end is in its place, and calls it"),
    (ProcessingContext.init_checkpoint, "a0a1bf8f5c28", "Checkpoints, for records that are taken again"),
    (ProcessingContext.__exit__, "9ffaa537b798", "Application.run: aborts the open transaction after the loop"),
    (Checkpoint.expired, "8c58eedc2f8d", "Checkpoints.end; Application.__init__: a commit_every of 0 is none"),
    (Checkpoint.store_offset, "4a84b4a76816", "Batches.handle"),
    (Checkpoint.__init__, "4524e0c39c63", "ProducerRenewal.begin_transaction: begins the transaction"),
    (Checkpoint.close, "09c0f09bea66", "Checkpoints.end, if there is nothing to commit"),
    (Checkpoint.commit, "a324c629763f", "Checkpoints.end: flush, then one commit of the offsets"),
    (Stream.add_function, "0c910cc6b814", "Application.to_topic"),
    (Stream.compose, "fdfb74356b6a", "Application.to_topic: asks the sink for its function once the producer is known"),
    (StateStoreManager.init, "1268e68607c3", "Application.run: only makes a folder"),
]


@pytest.mark.parametrize(("function", "digest", "user"), RELIED_ON, ids=[row[0].__qualname__ for row in RELIED_ON])
def test_source(function: Callable[..., Any], digest: str, user: str) -> None:
    """A method that is overridden, called or counted on is the one that was read when that was written."""
    present = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]
    assert present == digest, (
        f"quixstreams {quixstreams.__version__} has another {function.__qualname__}. Compare it with the one before, "
        f"change what relies on it ({user}) if need be, run `make faults`, then write {present} here"
    )


def test_executor() -> None:
    """A dataframe is run with value, key, timestamp and headers, and so is its last step."""
    app = Application(Settings())
    frame = app.dataframe(Topic("in"))
    taken: list[tuple[object, ...]] = []

    class Last(StreamFunction):
        def get_executor(self, *_children: Callable[..., None]) -> Callable[..., None]:
            return lambda *arguments: taken.append(arguments)

    frame.apply(lambda value: value + 1).stream.add_function(Last(print))
    (execute,) = frame.stream.compose(sink=None).values()
    execute(1, b"k", 7, None)
    look = "the arguments of Batches' `execute` and of Sink.get_executor's `send` are not Quix's any more"
    assert taken == [(2, b"k", 7, None)], look
    assert list(inspect.signature(execute).parameters) == ["value", "key", "timestamp", "headers"], look
    assert list(inspect.signature(Sink.get_executor).parameters)[1:] == ["_child_executors"], look


LISTED = dict(re.findall(r"^    (\w+\.\w+) +(\S.*)$", quix.__doc__ or "", re.MULTILINE))


def test_table() -> None:
    """The table in quix.py lists the names that the file uses, each with the reason, and no others."""
    used = private_names(ROOT / "runtime/loop/quix.py")
    assert {name.partition(".")[2] for name in LISTED} == used
    assert len(used) <= MOST


def test_nowhere_else() -> None:
    """No other file uses a private name of quixstreams, except the benchmark that runs Quix's own loop."""
    files = [
        ROOT / "pipeline.py",
        *(
            file
            for name in ("runtime", "tools", "benchmarks", "faults", "transforms", "deploy")
            for file in (ROOT / name).rglob("*.py")
        ),
    ]
    found = {file.relative_to(ROOT).as_posix(): names for file in files if (names := private_names(file))}
    del found["runtime/loop/quix.py"]
    assert found == {"benchmarks/single_records.py": {"_process_message"}}


def private_names(file: Path) -> set[str]:
    """The private names of quixstreams that a file reads, sets, calls or overrides."""
    tree = ast.parse(file.read_text())
    bases = {"quixstreams.Application": Quix, "QuixApplication": Quix, "Application": Quix} | {
        name.name: getattr(importlib.import_module(node.module), name.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("quixstreams")
        for name in node.names
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            inherited = [_of_class(bases[base]) for base in map(ast.unparse, node.bases) if base in bases]
            found |= _mentioned(node) & set().union(*inherited)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in {"self", "cls", "KafkaError"}:
            found |= {node.attr} & OF_QUIX
    return found


def _of_class(quix_class: type) -> set[str]:
    """The private names of a class and of what it inherits from in quixstreams."""
    sources = [inspect.getsource(one) for one in quix_class.__mro__ if one.__module__.startswith("quixstreams")]
    return _private(set().union(*(_mentioned(ast.parse(source)) for source in sources)))


def _mentioned(tree: ast.AST) -> set[str]:
    """The names of the methods in a class, and of the attributes of `self`."""
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} | {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"
    }


def _private(names: set[str]) -> set[str]:
    return {name for name in names if re.match("_[^_]", name)}


LIBRARY = [ast.parse(file.read_text()) for file in Path(quixstreams.__file__).parent.rglob("*.py")]
OF_QUIX = _private(set().union(*map(_mentioned, LIBRARY)))


def test_pinned() -> None:
    """The pin of quixstreams is the minor version that these names were read in."""
    project = (ROOT / "pyproject.toml").read_text()
    major, minor, _ = quixstreams.__version__.split(".")
    assert f'"quixstreams>={major}.{minor},<{major}.{int(minor) + 1}"' in project
