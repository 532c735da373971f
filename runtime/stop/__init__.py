"""Stops the process: signals, leaving the consumer group, and the end by force."""
