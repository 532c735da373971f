"""Runs the transforms: settings, errors, broker connection, processing loop, shutdown, logs, metrics and health."""

import logging

from runtime.observe.tracing import remove_client_instrumentation

__version__ = "0.2.0"

# Importing quixstreams raises warnings about its own dependencies. The log takes them, not the terminal.
logging.captureWarnings(capture=True)

INSTRUMENTATION_REMOVED = remove_client_instrumentation()  # before any module imports the client's classes
