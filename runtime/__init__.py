"""Runs the transforms: settings, errors, broker connection, processing loop, shutdown, logs and health."""

import logging

__version__ = "0.2.0"

# Importing quixstreams raises warnings about its own dependencies. The log takes them, not the terminal.
logging.captureWarnings(capture=True)
