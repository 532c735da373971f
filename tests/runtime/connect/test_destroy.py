"""Clients that are destroyed in the background."""

import threading

from runtime.connect.destroy import destroy


class SlowClient:
    """A client whose destruction waits for `allowed`."""

    def __init__(self) -> None:
        self.allowed = threading.Event()
        self.destroyed = threading.Event()

    def __del__(self) -> None:
        """Wait, as librdkafka may."""
        self.allowed.wait(60)
        self.destroyed.set()


def test_destroy() -> None:
    """It returns before the clients are destroyed."""
    client = SlowClient()
    allowed, destroyed, clients = client.allowed, client.destroyed, [client]
    del client
    destroy(clients)  # type: ignore[arg-type]  # a list of one kind
    assert not destroyed.is_set()
    allowed.set()
    assert destroyed.wait(60)
    assert clients == []
