"""What the runtime's tests share."""

import logging
from collections.abc import Iterator

import pytest
from loguru import logger


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Puts the standard library's logging back, and lets go of the captured standard error."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logger.remove()
