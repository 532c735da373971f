"""Compares the output topic with the input topic: `python -m tools.verify`."""
