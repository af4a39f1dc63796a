"""Access tokens come from the vault, are kept as long as they are good, and are complained about once refused."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.bus import MemoryBroker
from chassis.testing.clock import ManualClock
from chassis.testing.vault import MemoryVault
from chassis.vault import Secret, VaultUnreachable
from contracts.names import Profile
from graph_access.vault_tokens import VaultTokens, fingerprint
from graph_client.errors import TokenUnavailable

PATH = "tenants/contoso/tokens/exchange-backup"


class SealableVault(MemoryVault):
    away = False

    async def kv_read(self, path: str) -> tuple[Secret, int] | None:
        if self.away:
            raise VaultUnreachable("GET", path, "sealed")
        return await super().kv_read(path)


class Office:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.vault = SealableVault(clock)
        self.broker = MemoryBroker()
        bus = self.broker.bus("backup-service", clock)
        self.tokens = VaultTokens(self.vault, bus, clock, "contoso", Profile.EXCHANGE_BACKUP)

    async def put(self, token: str, minutes: float = 60) -> None:
        expires_at = self.clock.now() + timedelta(minutes=minutes)
        await self.vault.kv_write(PATH, {"access_token": token, "expires_at": expires_at.isoformat()})


@pytest.fixture
def office(clock: ManualClock) -> Office:
    return Office(clock)


async def reason(tokens: Any) -> str:
    with pytest.raises(TokenUnavailable) as raised:
        await tokens.token()
    return str(raised.value.reason)


async def test_without_a_token_the_work_is_held(office: Office) -> None:
    assert await reason(office.tokens) == "no_token_in_vault"


async def test_token_is_kept_until_shortly_before_its_end(office: Office, clock: ManualClock) -> None:
    await office.put("first")
    assert await office.tokens.token() == "first"
    await office.put("second", minutes=120)
    assert await office.tokens.token() == "first"
    await clock.advance(31)
    assert await office.tokens.token() == "second"


async def test_a_deactivated_token_is_not_used_on(office: Office, clock: ManualClock) -> None:
    await office.put("first")
    assert await office.tokens.token() == "first"
    await office.vault.kv_delete(PATH)
    await clock.advance(31)
    assert await reason(office.tokens) == "no_token_in_vault"
    assert await reason(office.tokens) == "no_token_in_vault"
    await office.put("replacement")
    assert await office.tokens.token() == "replacement"


async def test_a_vault_that_is_away_takes_no_good_token_from_anybody(office: Office, clock: ManualClock) -> None:
    await office.put("first")
    assert await office.tokens.token() == "first"
    office.vault.away = True
    await clock.advance(31)
    assert await office.tokens.token() == "first"
    office.vault.away = False
    await office.put("second")
    await clock.advance(31)
    assert await office.tokens.token() == "second"


async def test_expired_token_is_none(office: Office, clock: ManualClock) -> None:
    await office.put("old", minutes=1)
    await clock.advance(60)
    assert await reason(office.tokens) == "expired"


async def test_refused_token_is_announced_by_fingerprint_and_not_used_again(office: Office) -> None:
    await office.put("refused")
    await office.tokens.rejected(await office.tokens.token())
    assert await reason(office.tokens) == "rejected_by_graph"
    (event,) = office.broker.stored
    assert event.subject == "m365.evt.v1.contoso.token.rejected"
    assert fingerprint("refused").encode() in event.body
    assert b"refused" not in event.body.replace(fingerprint("refused").encode(), b"")
    await office.put("renewed")
    assert await office.tokens.token() == "renewed"


async def test_complaint_that_cannot_be_published_does_not_stop_the_work(office: Office, clock: ManualClock) -> None:
    await office.put("refused")
    office.broker.reachable = False
    await clock.run(office.tokens.rejected("refused"))
    assert await reason(office.tokens) == "rejected_by_graph"


async def test_announced_token_is_read_at_the_next_use(office: Office) -> None:
    await office.put("first")
    await office.tokens.token()
    await office.put("second")
    office.tokens.forget()
    assert await office.tokens.token() == "second"


async def test_token_without_the_right_is_announced_and_read_anew_without_being_barred(office: Office) -> None:
    await office.put("without the right")
    await office.tokens.token()
    await office.tokens.forbidden()
    (event,) = office.broker.stored
    assert event.subject == "m365.evt.v1.contoso.token.rejected"
    # Graph may refuse one mailbox only: the token stays good for the others until there is a newer one.
    assert await office.tokens.token() == "without the right"
    await office.put("with the right")
    await office.tokens.forbidden()
    assert await office.tokens.token() == "with the right"
