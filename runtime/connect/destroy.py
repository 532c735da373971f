"""Destroys librdkafka clients in the background."""

from threading import Thread


def destroy(clients: list[object]) -> None:
    """Destroy these clients in a separate thread. The list must hold their only references, and becomes empty.

    Destroying a client joins librdkafka's threads. librdkafka 2.16.0 occasionally hangs there (once in some hundred),
    and always if a request for a group's coordinator was lost (see repeating_admin.py).
    """
    Thread(target=clients.clear, daemon=True).start()
