"""The image that these tests share, built from the repository."""

import pytest

from tests.compose.stack import IMAGE, run


@pytest.fixture(scope="session")
def image() -> str:
    """The image's name, once it is built."""
    run(["docker", "build", "--quiet", "--file", "dockerfile", "--tag", IMAGE, "."])
    return IMAGE
