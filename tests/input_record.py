"""An input record, as confluent-kafka's Message has it."""

from dataclasses import dataclass


@dataclass
class Input:
    """A value, and the place that it comes from."""

    content: bytes | None
    name: str = "in"

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 1234567

    def value(self) -> bytes | None:
        return self.content
