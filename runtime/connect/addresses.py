"""Opens a connection to a broker's address, to find out what happens there if no broker answers."""

import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from selectors import EVENT_READ, DefaultSelector
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from confluent_kafka.admin import BrokerMetadata

from runtime import limits
from runtime.errors import Unavailable

_DEFAULT_PORT = 9092
CANNOT_BE_RESOLVED = "cannot be resolved"
CLOSES_AT_ONCE = "closes connections at once"
_MOST_TRIED = 5  # of the brokers of a large cluster
MOST_AT_ONCE = 32
_OF_A_WORKER = 6  # connections of consumer, producer and admin client: to a broker, and to it as a coordinator


class BrokerAddress(NamedTuple):
    """A broker's host name or IP address, and its port."""

    host: str
    port: int

    @classmethod
    def parse(cls, bootstrap_servers: str) -> list[Self]:
        """Read the addresses of `bootstrap.servers`, except those that are malformed."""
        found = []
        for text in bootstrap_servers.split(","):
            try:
                parts = urlsplit(f"//{text.strip().rpartition('://')[2]}")
                found.append(cls(parts.hostname or "", parts.port or _DEFAULT_PORT))
            except ValueError:
                continue
        return found

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def why_unreachable(self, stays_open: float = 0.0) -> str:
        """Why no connection opens, as what the address does, or empty text if one opens.

        Args:
            stays_open: seconds; if given, as many connections as a worker needs must open, and stay open for this long.
        """
        try:
            with ExitStack() as stack:
                opened = [stack.enter_context(self._connect()) for _ in range(_OF_A_WORKER if stays_open else 1)]
                return CLOSES_AT_ONCE if stays_open and _is_one_closed(opened, stays_open) else ""
        except (socket.gaierror, UnicodeError):
            return CANNOT_BE_RESOLVED
        except ConnectionRefusedError:
            return "refuses connections"
        except OSError:
            return "does not answer"

    def _connect(self) -> socket.socket:
        return socket.create_connection(self, limits.DIAGNOSE_TIMEOUT)


def advertised(nodes: Iterable[BrokerMetadata]) -> list[BrokerAddress]:
    """Give the addresses that brokers advertise."""
    return [BrokerAddress(node.host, node.port) for node in nodes]


def unreachable(addresses: Iterable[BrokerAddress]) -> dict[BrokerAddress, str]:
    """Give the first few addresses and why no connection to them opens, or nothing if one opens."""
    problems = {}
    for address in islice(addresses, _MOST_TRIED):
        problems[address] = address.why_unreachable()
        if not problems[address]:
            return {}
    return problems


def why_unusable(addresses: Iterable[BrokerAddress]) -> dict[BrokerAddress, str]:
    """Give, by address, why no connection opens or stays open, or empty text. All are tried at the same time."""
    asked = list(addresses)
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        answers = pool.map(lambda address: address.why_unreachable(limits.CLOSED_AT_ONCE), asked)
        return dict(zip(asked, answers, strict=True))


def sends_elsewhere(address: str, problems: Mapping[BrokerAddress, str]) -> Unavailable:
    """Give the error if a broker answers, but the addresses that the brokers advertise cannot be reached."""
    what = ", ".join(f"{there} (advertised.listeners), which {why}" for there, why in problems.items())
    remedy = "start the broker there, or set its advertised.listeners to an address that can be reached from here"
    return Unavailable(f"{address} answers, but sends clients to {what}; {remedy}")


def brokers_away(address: str, problems: Mapping[BrokerAddress, str]) -> Unavailable:
    """Give the error if brokers answer, but others that the cluster still counts do not."""
    what = ", ".join(f"{there}, which {why}" for there, why in problems.items())
    return Unavailable(f"the brokers at {address} answer, except {what}; start it, or let this machine reach it")


def closes_at_once(address: str) -> Unavailable:
    """Give the error if a broker closes connections before the first request."""
    return Unavailable(
        f"the broker at {address} {CLOSES_AT_ONCE}: the usual cause is its max.connections.per.ip, which this "
        "machine's connections exceed; otherwise, the address is a proxy's, and the broker behind it is down"
    )


def _is_one_closed(connections: Iterable[socket.socket], within: float) -> bool:
    """Whether the other side closes a connection before a request. A broker waits for a request for minutes."""
    with DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, EVENT_READ, connection)
        return any(_is_closed(key.data) for key, _ in selector.select(within))


def _is_closed(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1)
    except OSError:
        return True
