"""What an operator sees: logs, counters, health."""
