"""The network between workers and the broker, as bad as asked for: a TCP proxy on 127.0.0.1.

One proxy is in front of one port of a broker. It can be slow, lose (as TCP shows it: what is lost is sent again later,
and all behind it waits), swallow everything while connections stay open, or reset every connection.
"""

import asyncio
import random
import socket
import struct
import threading
from contextlib import ExitStack, suppress
from typing import NamedTuple, Self

from tools.broker.node import HOST, choose_ports

_CHUNK = 16_384  # bytes
_RESENT_AFTER = 0.2  # seconds: TCP's least time to send again; doubled while that is lost, too
_TURN = 0.02  # seconds


class Weather(NamedTuple):
    """What happens to what passes."""

    delay: float = 0.0
    """Seconds that it takes, each way."""
    lost: float = 0.0
    """The share, 0 to 1, that gets lost on its way at first."""
    swallowed: bool = False
    """Nothing gets through."""


FAIR = Weather()

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Listens on a free port and connects to `port`; leaving the `with` block ends it."""

    def __init__(self, listen: int, port: int, seed: int) -> None:
        self.weather = FAIR
        self._listen = listen
        self._port = port
        self._random = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def reset(self) -> None:
        """Reset every connection (RST, not FIN)."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result(5)

    def __enter__(self) -> Self:
        self._thread.start()
        begin = asyncio.start_server(self._connected, HOST, self._listen)
        self._server = asyncio.run_coroutine_threadsafe(begin, self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.weather.swallowed:  # noqa: ASYNC110  (another thread changes it)
            await asyncio.sleep(_TURN)
        try:
            onward = await asyncio.open_connection(HOST, self._port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, onward[1]}
        await self._relay((reader, writer), onward)
        self._writers -= {writer, onward[1]}

    async def _relay(self, client: Streams, broker: Streams) -> None:
        """Pass on what both say, until both connections are closed."""
        await asyncio.gather(self._pass(client[0], broker[1]), self._pass(broker[0], client[1]))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, in order, each chunk as late as the weather has it."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)
        sender = asyncio.create_task(self._send(queue, writer))
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await queue.put((self._loop.time() + self._lateness(), chunk))
        await queue.put((0.0, b""))
        await sender

    async def _send(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                due, chunk = await queue.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                while self.weather.swallowed:  # noqa: ASYNC110  (the same)
                    await asyncio.sleep(_TURN)
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
        with suppress(OSError):
            writer.close()
        while not queue.empty():
            queue.get_nowait()

    def _lateness(self) -> float:
        late, again = self.weather.delay, _RESENT_AFTER
        while self._random.random() < self.weather.lost:
            late, again = late + again, again * 2
        return late

    async def _reset(self) -> None:
        for writer in list(self._writers):
            connection = writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._reset()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class Proxies:
    """A proxy in front of each of several brokers; leaving the `with` block ends them.

    Args:
        size: how many brokers.
        seed: of what the proxies draw.
    """

    def __init__(self, size: int, seed: int) -> None:
        ports = [choose_ports(None) for _ in range(size)]
        self.detours = [(port.internal, port.clients) for port in ports]
        """For the cluster: where each broker listens, and where it says that it does."""
        self.address = ",".join(f"{HOST}:{port.clients}" for port in ports)
        """For the workers."""
        self.each = [Proxy(port.clients, port.internal, seed + number) for number, port in enumerate(ports)]
        self._stack = ExitStack()

    def set(self, weather: Weather) -> None:
        """Let the same happen to what passes any of them."""
        for proxy in self.each:
            proxy.weather = weather

    def reset(self) -> None:
        """Reset every connection."""
        for proxy in self.each:
            proxy.reset()

    def __enter__(self) -> Self:
        for proxy in self.each:
            self._stack.enter_context(proxy)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
