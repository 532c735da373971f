"""Sends dead letters' originals back to the input topic: `python pipeline.py replay`."""
