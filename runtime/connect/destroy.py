"""Destroys clients of librdkafka without waiting for it."""

from threading import Thread


def destroy(clients: list[object]) -> None:
    """Let go of these clients, whose only references the list holds, in a thread of its own.

    librdkafka joins its own threads there: 2.16.0 was seen to wait for one without end, once in many hundred times.
    """
    Thread(target=clients.clear, daemon=True).start()
