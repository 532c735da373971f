"""Stops the process: signals, and leaving the consumer group."""
