"""Chooses ports of this machine that nothing listens on, never one that another process has chosen."""

import errno
import fcntl
import os
import random
import socket
from functools import cache as once
from typing import NamedTuple

from tools.broker.files import BrokerError, cache_folder, names_the_file

HOST = "127.0.0.1"
_PORTS = range(20000, 28000)  # below the ports of outgoing connections, which could take a stopped broker's port
_chosen: set[int] = set()  # by this process


class Ports(NamedTuple):
    """The ports of one node: for clients, for other brokers and the probe, for controllers."""

    clients: int
    internal: int
    controller: int


def choose_ports(clients: int | None) -> Ports:
    """Choose three free ports. The first is the given one, if any.

    Raises:
        BrokerError: the given port, or the folder for the locks, cannot be used.
    """
    if clients is not None and (error := _bind_error(clients)):
        problem = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise BrokerError(f"port {clients} of {HOST} {problem}; choose another one with --port")
    return Ports(clients or free_port(), free_port(), free_port())


def free_port() -> int:
    """A port without a listener. Until this process ends, no call gives it again, in this process or another one.

    Raises:
        BrokerError: the folder for the locks cannot be used.
    """
    return next(port for port in iter(lambda: random.SystemRandom().choice(_PORTS), None) if _choose(port))


def _choose(port: int) -> bool:
    """Choose a port, if no process has chosen it, and nothing listens on it."""
    if port in _chosen:
        return False
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)  # the byte at this place; until the process ends
    except BlockingIOError:
        return False
    _chosen.add(port)
    return _bind_error(port) is None


@once
def _locks() -> int:
    """The descriptor of the file in which each process locks one byte for each port that it has chosen."""
    with names_the_file():
        return os.open(cache_folder() / "ports.lock", os.O_RDWR | os.O_CREAT, 0o600)


def _bind_error(port: int) -> OSError | None:
    """Why one cannot listen on this port, if so."""
    with socket.socket() as endpoint:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only a listener makes a port unavailable
        try:
            endpoint.bind((HOST, port))
        except OSError as error:
            return error
    return None
