"""What runs the transforms: settings, logs, errors, topics, and the Quix Streams application."""

import logging

__version__ = "0.2.0"

# Warnings go to the log: those on importing quixstreams, about packages that it brings, are nothing to a user.
logging.captureWarnings(capture=True)
