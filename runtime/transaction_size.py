"""How many records one transaction may hold: few at first, more while the broker takes them quickly."""

FIRST = 500
"""Records of the first transaction: at 10,000 bytes/s, a broker takes that many of 1 kB just in time."""

QUICK, SLOW = 1.0, 2.0
"""Seconds of a flush below which the next transaction may be twice as large, and above which it is half as large."""


class TransactionSize:
    """The present limit, in records; COMMIT_INTERVAL or COMMIT_EVERY may end a transaction earlier."""

    def __init__(self) -> None:
        self.records = FIRST

    def note(self, handled: int, seconds: float) -> None:
        """Take account of a flush that came to its end."""
        if seconds > SLOW:
            self.records = max(1, min(self.records, handled) // 2)
        elif seconds < QUICK and handled >= self.records:
            self.records *= 2

    def reduce(self, handled: int) -> None:
        """Take account of a flush that did not end in time."""
        self.records = max(1, min(self.records, handled) // 4)
