"""Fixtures of these tests: a broker of their own, and workers with more than the public settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import STEADY
from tests.process import Pipelines
from tools.broker.embedded import Broker


@pytest.fixture(scope="session")
def own_broker() -> Iterator[Broker]:
    """A broker that tests may freeze."""
    with Broker(properties=STEADY) as broker:
        yield broker


@pytest.fixture(scope="session")
def script() -> Path:
    """The script that `pipelines` starts here."""
    return Path(__file__).parent / "run_pipeline.py"


@pytest.fixture
def own_pipelines(own_broker: Broker, script: Path, tmp_path: Path) -> Iterator[Pipelines]:
    """Starts `run_pipeline.py` on `own_broker`."""
    with Pipelines(own_broker.address, tmp_path, script) as pipelines:
        yield pipelines
