"""The pipeline's application with stock Quix's loop, one record at a time, to measure the benefit of batches."""

from collections.abc import Callable

import quixstreams
from quixstreams.context import message_context
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.models import Topic
from quixstreams.sources import BaseSource

from runtime.loop.application import Application
from runtime.settings import Settings
from runtime.stop.signals import stop_request


class SingleRecords(Application):
    """Reads records as Quix does. The sink and the commits are the pipeline's."""

    def __init__(self, settings: Settings) -> None:
        """Let Quix count the records of a checkpoint, one for each message."""
        super().__init__(settings)
        self.context.commit_every = settings.commit_every

    def dataframe(self, topic: Topic | None = None, source: BaseSource | None = None) -> StreamingDataFrame:
        """Quix's dataframe, which passes each record to the sink first."""
        return super().dataframe(topic, source).update(self._remember)

    def _process_message(self, dataframe_composed: dict[str, Callable[..., None]]) -> None:
        if stop_request.requested:
            self.stop()
            return
        quixstreams.Application._process_message(self, dataframe_composed)  # type: ignore[no-untyped-call]  # noqa: SLF001

    def _remember(self, value: bytes | None) -> None:
        self._batches.current = _SingleRecord(value)
        self.totals.records.uncommitted += 1


class _SingleRecord:
    """The current record, from Quix's `message_context()`."""

    def __init__(self, value: bytes | None) -> None:
        context = message_context()
        self.topic = lambda: context.topic
        self.partition = lambda: context.partition
        self.offset = lambda: context.offset
        self.value = lambda: value
