"""A tenant's profiles share one budget; a 403 asks for a newer token; a token that was announced is read."""

import random
import ssl
from datetime import timedelta

import pytest

from chassis.testing.bus import MemoryBroker
from chassis.testing.clock import ManualClock
from chassis.testing.vault import MemoryVault
from contracts.names import Profile
from graph_access import GraphAccess, GraphAddress
from graph_client.errors import Forbidden

MAIL, DIRECTORY = Profile.EXCHANGE_BACKUP, Profile.DIRECTORY


class Office:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.vault = MemoryVault(clock)
        self.broker = MemoryBroker()
        self.pools: list[str] = []
        address = GraphAddress("https://127.0.0.1:1/v1.0", ssl.create_default_context())
        self.access = GraphAccess(
            self.vault,
            self.broker.bus("backup-service", clock),
            clock,
            address,
            rng=random.Random(1),
            pool=self.pools.append,  # type: ignore[func-returns-value] # no pool is what it answers
        )

    async def put(self, token: str) -> None:
        expires_at = (self.clock.now() + timedelta(hours=1)).isoformat()
        await self.vault.kv_write(f"tenants/contoso/tokens/{MAIL}", {"access_token": token, "expires_at": expires_at})

    async def token(self) -> str:
        return await self.access._tokens_of("contoso", MAIL).token()


@pytest.fixture
def office(clock: ManualClock) -> Office:
    return Office(clock)


async def test_all_profiles_of_a_tenant_draw_on_one_budget(office: Office) -> None:
    for tenant, profile in (("contoso", MAIL), ("contoso", DIRECTORY), ("fabrikam", MAIL), ("contoso", MAIL)):
        async with office.access.client(tenant, profile):
            pass
    assert office.pools == ["contoso", "fabrikam"]


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_403_asks_for_a_newer_token(office: Office, *, grouped: bool) -> None:
    await office.put("without the role")
    await office.token()
    refused: Exception = Forbidden("no", status=403)
    with pytest.raises((Forbidden, ExceptionGroup)):
        async with office.access.client("contoso", MAIL):
            raise ExceptionGroup("of several", [refused]) if grouped else refused
    assert [event.subject for event in office.broker.stored] == ["m365.evt.v1.contoso.token.rejected"]


async def test_a_token_that_was_announced_is_read(office: Office) -> None:
    await office.put("first")
    assert await office.token() == "first"
    await office.put("second")
    office.access.token_refreshed("contoso", MAIL)
    office.access.token_refreshed("contoso", DIRECTORY)
    assert await office.token() == "second"
