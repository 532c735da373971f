"""What these tests share: the contract's cases, and workers with more than the public settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import Pipelines
from tools.broker.embedded import Broker


@pytest.fixture(scope="session")
def own_broker() -> Iterator[Broker]:
    """A broker that may be frozen, and that gives a worker up after a second if the worker asks for it."""
    properties = {
        "group.min.session.timeout.ms": "1000",
        "broker.session.timeout.ms": "30000",  # its controller, which is frozen with it, does not give it up meanwhile
    }
    with Broker(properties=properties) as broker:
        yield broker


@pytest.fixture(scope="session")
def script() -> Path:
    """What `pipelines` start here."""
    return Path(__file__).parent / "run_pipeline.py"


@pytest.fixture
def own_pipelines(own_broker: Broker, script: Path, tmp_path: Path) -> Iterator[Pipelines]:
    """Starts `run_pipeline.py` on `own_broker`."""
    with Pipelines(own_broker.address, tmp_path, script) as pipelines:
        yield pipelines
