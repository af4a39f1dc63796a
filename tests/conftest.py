from collections.abc import Iterator

import pytest
from stack_fixture import SERVERS, RunningStack, running_stack


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Bus, documents, vault, objects and issuer, for tests that talk to the servers themselves."""
    with running_stack(tmp_path_factory.mktemp("servers"), only=SERVERS) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole embedded stack: servers, simulator and services."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
