"""Compares the output topic with the input topic: `python pipeline.py verify`."""
