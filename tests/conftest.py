from collections.abc import Iterator

import pytest
from stack_fixture import SERVERS, RunningStack, running_stack
from two_tenants import MINE, THEIRS, Api, Pair, back_up, connect, onboard, seed


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Bus, documents, vault, objects and issuer, for tests that talk to the servers themselves."""
    with running_stack(tmp_path_factory.mktemp("servers"), only=SERVERS) as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole embedded stack, quick to notice a death and as talkative as it can be."""
    extra = {
        "TENANTKEEP_LOG_LEVEL": "debug",
        "TENANTKEEP_ACK_WAIT": "2",
        "TENANTKEEP_HEARTBEAT_INTERVAL": "0.5",
        "TENANTKEEP_SWEEP_INTERVAL": "0.5",
        "TENANTKEEP_RESTART_LONGEST": "0.5",
    }
    with running_stack(tmp_path_factory.mktemp("stack"), extra=extra) as running:
        yield running


@pytest.fixture(scope="session")
def pair(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two customers on the whole stack."""
    folder = tmp_path_factory.mktemp("pair")
    with connect(stack) as client:
        api = Api(stack, client)
        seeded = [seed(api, folder, tenant, 6) for tenant in (MINE, THEIRS)]
        mine, theirs = (back_up(api, apps, onboard(api, apps)) for apps in seeded)
        yield Pair(api, mine, theirs)
