"""A proxy in front of a broker that changes answers, or breaks connections instead of passing requests or answers."""

import asyncio
from collections.abc import Callable
from typing import Any

from faults.proxy import Proxy, Streams
from faults.wire import correlation_of, parse_request, read_frame

CREATE_TOPICS = 19
"""An API key."""


class TamperingProxy(Proxy):
    """A proxy that reads requests and answers one by one."""

    def __init__(self, listen: int, port: int) -> None:
        super().__init__(listen, port, seed=0)
        self.replaced: tuple[bytes, bytes] = (b"", b"")
        """What to replace in answers, and with what of the same length."""
        self.refused: int | None = None
        """The API key of requests that break the connection."""
        self.unanswered: int | None = None
        """The API key of requests that the broker gets, and whose answers break the connection."""
        self.broken = 0
        """How often one of these did."""

    async def _relay(self, client: Streams, broker: Streams) -> None:
        asked: dict[int, int] = {}  # by correlation id, the API key
        from_client: Any = _Frames(client[0], lambda frame: self._request(frame, asked))
        from_broker: Any = _Frames(broker[0], lambda frame: self._answer(frame, asked))
        await super()._relay((from_client, client[1]), (from_broker, broker[1]))

    def _request(self, frame: bytes, asked: dict[int, int]) -> bytes:
        request = parse_request(frame)
        asked[request.correlation] = request.key
        if request.key == self.refused:
            self._break()
        return frame

    def _answer(self, frame: bytes, asked: dict[int, int]) -> bytes:
        if asked.pop(correlation_of(frame)) == self.unanswered:
            self._break()
        return frame.replace(*self.replaced)

    def _break(self) -> None:
        self.broken += 1
        self._loop.create_task(self._reset())
        raise ConnectionResetError


class _Frames:
    """A stream that gives one request or answer at a time, changed."""

    def __init__(self, reader: asyncio.StreamReader, change: Callable[[bytes], bytes]) -> None:
        self._reader = reader
        self._change = change

    async def read(self, _count: int) -> bytes:
        try:
            return self._change(await read_frame(self._reader))
        except asyncio.IncompleteReadError:
            return b""
