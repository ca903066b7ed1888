"""One gateway for all tests that leave it as it was."""

import pytest

from gateway import Gateway


@pytest.fixture(scope="session")
def gateway():
    with Gateway(server__grace_ms=0, server__drain_ms=200) as running:
        yield running
