"""A proxy that delivers one request of a transaction late: during the next transaction.

It holds the first copy and breaks the client's connection, so the client repeats the request. The first copy is sent
on its own connection once the next transaction of the same transactional id is open. A response is held back from the
client meanwhile, so the transaction stays open until the broker has answered the late request.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from faults.proxy import Proxy, Streams
from faults.wire import (
    ADD_PARTITIONS,
    END_TXN,
    INIT_PRODUCER,
    NAMES,
    Request,
    correlation_of,
    error_name,
    error_of,
    parse_request,
    read_frame,
)

_ANSWERED_WITHIN = 15.0  # seconds
_TURN = 0.02  # seconds


class Attack(NamedTuple):
    """Which request is late, after the response to which request it is delivered, and whether to stop then."""

    kind: int
    after: int
    stop_after_commit: bool = False
    """Whether to block the worker once it has committed the attacked transaction."""


class Late(NamedTuple):
    """A late request that the broker answered while a transaction was open."""

    attack: Attack
    error: str
    new_epoch: bool
    """Whether the producer was initialized again after the request was held."""


class Phase(Enum):
    """The progress of an attack."""

    IDLE = "idle"
    ARMED = "armed"
    HELD = "the first copy is held"
    BETWEEN = "its transaction has ended"
    OPEN = "the next transaction is open"
    SENT = "the late request is sent"
    ANSWERED = "the late request is answered"
    COMMITTED = "the next transaction is committed, and its worker blocked"


@dataclass
class _Connection:
    """A client's connection and its connection to the broker."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    asked: dict[int, Request] = field(default_factory=dict)


class LateProxy(Proxy):
    """The proxy, with one attack at a time."""

    def __init__(self, listen: int, port: int, seed: int) -> None:
        super().__init__(listen, port, seed)
        self.phase = Phase.IDLE
        self.delivered: list[Late] = []
        self._attack: Attack
        self._held: tuple[Request, _Connection] | None = None
        self._answered: asyncio.Event
        self._new_epoch = False

    def arm(self, attack: Attack) -> None:
        """Attack the next request of this kind."""
        self._attack, self._new_epoch, self.phase = attack, False, Phase.ARMED

    def end(self) -> None:
        """End the attack in any phase, and unblock the worker."""
        self.phase = Phase.IDLE
        if self._held:
            self._loop.call_soon_threadsafe(self._held[1].broker.close)
            self._held = None

    async def _relay(self, client: Streams, broker: Streams) -> None:
        connection = _Connection(client[1], broker[1])
        await asyncio.gather(self._requests(client[0], connection), self._answers(broker[0], connection))

    async def _requests(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = parse_request(await read_frame(reader))
                connection.asked[request.correlation] = request
                if self._starts_attack(request):
                    self._held, self._answered, self.phase = (request, connection), asyncio.Event(), Phase.HELD
                    connection.client.transport.abort()
                    return  # the connection to the broker stays open
                self._note_request(request)
                connection.broker.write(request.frame)
                await connection.broker.drain()
        connection.broker.close()

    async def _answers(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                answer = await read_frame(reader)
                request = connection.asked.pop(correlation_of(answer))
                if self._held and request is self._held[0]:
                    self._note_late(error_of(request, answer))
                    break
                if request.key in NAMES and not error_of(request, answer):
                    await self._succeeded(request)
                if not connection.client.is_closing():
                    connection.client.write(answer)
                    await connection.client.drain()
        connection.client.close()
        connection.broker.close()

    def _starts_attack(self, request: Request) -> bool:
        return self.phase is Phase.ARMED and request.key == self._attack.kind and bool(request.transaction)

    def _is_attacked(self, request: Request) -> bool:
        return self._held is not None and request.transaction == self._held[0].transaction

    def _note_request(self, request: Request) -> None:
        if not self._is_attacked(request):
            return
        if request.key == INIT_PRODUCER:
            self._new_epoch = True
        elif request.key == END_TXN and self.phase is Phase.OPEN:  # too late: wait for the next transaction
            self.phase = Phase.BETWEEN

    async def _succeeded(self, request: Request) -> None:
        """Continue the attack after a response that the client does not have yet."""
        if not self._is_attacked(request):
            return
        if self.phase is Phase.HELD and request.key == END_TXN:
            self.phase = Phase.BETWEEN
        elif self.phase is Phase.BETWEEN and request.key == ADD_PARTITIONS:
            self.phase = Phase.OPEN
        if self.phase is Phase.OPEN and request.key == self._attack.after:
            await self._deliver()
        elif self.phase is Phase.ANSWERED and request.key == END_TXN:
            self.phase = Phase.COMMITTED if self._attack.stop_after_commit else Phase.IDLE
            self._held = None
            while self.phase is Phase.COMMITTED:  # noqa: ASYNC110  (another thread changes it)
                await asyncio.sleep(_TURN)

    async def _deliver(self) -> None:
        assert self._held
        request, connection = self._held
        self.phase = Phase.SENT
        connection.broker.write(request.frame)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), _ANSWERED_WITHIN)

    def _note_late(self, error: int) -> None:
        self.delivered.append(Late(self._attack, error_name(error), self._new_epoch))
        self.phase = Phase.ANSWERED
        self._answered.set()
