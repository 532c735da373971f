"""TCP proxies between workers and brokers that delay, lose or swallow data, or reset connections.

A proxy forwards one port of a broker on 127.0.0.1. Lost data are delayed, as by TCP: they are sent again later, and
all data after them wait.
"""

import asyncio
import random
import socket
import struct
import threading
from contextlib import ExitStack, suppress
from typing import NamedTuple, Self

from tools.broker.ports import HOST, choose_ports

_CHUNK = 16_384  # bytes
_RESENT_AFTER = 0.2  # seconds: TCP's least retransmission time; doubled each time
_TURN = 0.02  # seconds


class NetworkConditions(NamedTuple):
    """What happens to the data that pass a proxy."""

    delay: float = 0.0
    """Seconds, each way."""
    lost: float = 0.0
    """The share, 0 to 1, that is lost at first."""
    swallowed: bool = False
    """Whether nothing gets through, while connections stay open."""


NORMAL = NetworkConditions()

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Listens on one port and connects to another. Leaving the `with` block ends it."""

    def __init__(self, listen: int, port: int, seed: int) -> None:
        self.conditions = NORMAL
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
        while self.conditions.swallowed:  # noqa: ASYNC110  (another thread changes it)
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
        """Forward data both ways, until both connections are closed."""
        await asyncio.gather(self._pass(client[0], broker[1]), self._pass(broker[0], client[1]))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward data in order, each chunk with its delay."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1000)
        sender = asyncio.create_task(self._send(queue, writer))
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await queue.put((self._loop.time() + self._delay(), chunk))
        await queue.put((0.0, b""))
        await sender

    async def _send(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                due, chunk = await queue.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                while self.conditions.swallowed:  # noqa: ASYNC110  (the same)
                    await asyncio.sleep(_TURN)
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
        with suppress(OSError):
            writer.close()
        while not queue.empty():
            queue.get_nowait()

    def _delay(self) -> float:
        delay, resend = self.conditions.delay, _RESENT_AFTER
        while self._random.random() < self.conditions.lost:
            delay, resend = delay + resend, resend * 2
        return delay

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
    """A proxy in front of each broker. Leaving the `with` block ends them.

    Args:
        size: how many brokers.
        seed: of the proxies' random numbers.
        kind: the proxies' class.
    """

    def __init__(self, size: int, seed: int, kind: type[Proxy] = Proxy) -> None:
        ports = [choose_ports(None) for _ in range(size)]
        self.listeners = [(port.internal, port.clients) for port in ports]
        """For the cluster: where each broker listens, and what it advertises."""
        self.address = ",".join(f"{HOST}:{port.clients}" for port in ports)
        """For the workers."""
        self.each = [kind(port.clients, port.internal, seed + number) for number, port in enumerate(ports)]
        self._stack = ExitStack()

    def set(self, conditions: NetworkConditions) -> None:
        """Set the same conditions for all."""
        for proxy in self.each:
            proxy.conditions = conditions

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
