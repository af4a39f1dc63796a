import asyncio
from datetime import timedelta
from typing import Any

import pytest

from contracts.errors import ErrorClass
from contracts.names import TokenStatus


async def connected(world: Any) -> None:
    await world.register()
    await world.set_credential()


async def test_nothing_is_renewed_before_it_is_due(world: Any) -> None:
    await connected(world)
    await world.clock.advance(3600 * 0.6 - 1)
    assert await world.app.renew.sweep() == 0
    assert world.authority.asked == 1


async def test_a_due_token_is_renewed_well_before_it_ends(world: Any) -> None:
    await connected(world)
    first = await world.token()
    await world.clock.advance(3600 * 0.7 + 1)
    assert await world.app.renew.sweep() == 1
    second = await world.token()
    assert second["generation"] == 2
    assert second["access_token"] != first["access_token"]
    assert [event.generation for event in world.announcements()] == [1, 2]
    assert world.registry.get_sample_value("m365_token_refreshes_total", {"result": "renewed"}) == 1


async def test_a_token_of_a_day_is_renewed_before_the_vault_forgets_it(world: Any) -> None:
    world.authority.lifetime = 28 * 3600.0
    await connected(world)
    await world.clock.advance(5400 + 1)
    assert await world.app.renew.sweep() == 1
    await world.clock.advance(5400 + 1)
    assert await world.token() is not None


async def test_replicas_share_the_work_and_ask_once(world: Any) -> None:
    await connected(world)
    await world.clock.advance(3000)
    replicas = [world.replica() for _ in range(4)]
    await asyncio.gather(*(replica.renew.sweep() for replica in replicas))
    assert world.authority.asked == 2
    assert (await world.state()).token.generation == 2


async def test_an_outage_keeps_the_last_good_token_and_ends_by_itself(world: Any) -> None:
    await connected(world)
    good = await world.token()
    world.authority.down = True
    statuses = []
    for _ in range(60):
        await world.clock.advance(60)
        await world.app.renew.sweep()
        statuses.append((await world.state()).status(world.clock.now()))
        if statuses[-1] is not TokenStatus.EXPIRED:
            assert await world.token() == good
    assert statuses[0] is TokenStatus.ACTIVE
    assert TokenStatus.EXPIRING in statuses
    assert statuses[-1] is TokenStatus.EXPIRED
    asked = world.authority.asked
    assert 8 <= asked <= 30
    world.authority.down = False
    await world.clock.advance(301)
    await world.app.renew.sweep()
    assert (await world.state()).status(world.clock.now()) is TokenStatus.ACTIVE
    assert (await world.state()).trouble is None


async def test_an_expired_secret_is_told_with_its_number_while_the_token_still_works(world: Any) -> None:
    await connected(world)
    world.authority.apps.clear()
    world.authority.apps["11111111-1111-1111-1111-111111111111", "app-1"] = "rotated"
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    state = await world.state()
    assert state.trouble.error is ErrorClass.TOKEN_EXPIRED
    assert "AADSTS7000215" in state.trouble.detail
    assert state.status(world.clock.now()) is TokenStatus.EXPIRING
    assert (await world.token())["generation"] == 1


async def test_lost_consent_is_its_own_status(world: Any) -> None:
    await connected(world)
    world.authority.consented = False
    await world.clock.advance(2600)
    await world.app.renew.sweep()
    assert (await world.state()).status(world.clock.now()) is TokenStatus.CONSENT_REQUIRED
    world.authority.consented = True
    await world.clock.advance(10)
    await world.app.renew.sweep()
    assert (await world.state()).status(world.clock.now()) is TokenStatus.ACTIVE


async def test_a_sealed_vault_is_trouble_not_a_crash(world: Any) -> None:
    await connected(world)
    await world.clock.advance(3000)
    world.vault.down = True
    await world.app.renew.sweep()
    assert (await world.state()).trouble.error is ErrorClass.VAULT_UNREACHABLE
    world.vault.down = False
    await world.clock.advance(10)
    await world.app.renew.sweep()
    assert (await world.state()).token.generation == 2


async def test_a_worker_that_dies_with_the_claim_is_replaced(world: Any) -> None:
    await connected(world)
    await world.clock.advance(3000)
    state = await world.state()
    await world.connections.save(state.claimed(world.clock.now() + timedelta(seconds=60)))
    assert await world.app.renew.sweep() == 0
    await world.clock.advance(61)
    assert await world.app.renew.sweep() == 1


async def test_a_credential_that_vanished_from_the_vault_is_told(world: Any) -> None:
    await connected(world)
    await world.vault.kv_delete("tenants/contoso/credentials/exchange-backup")
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    state = await world.state()
    assert state.trouble.error is ErrorClass.NO_VALID_TOKEN
    assert "set it again" in state.trouble.detail


async def test_the_gauges_show_the_stored_state(world: Any) -> None:
    await connected(world)
    await world.app.metrics.refresh()
    labels = {"tenant": "contoso", "profile": "exchange-backup"}
    expiry = world.registry.get_sample_value("m365_token_expiry_timestamp_seconds", labels)
    assert expiry == (await world.state()).token.expires_at.timestamp()
    assert world.registry.get_sample_value("m365_token_status", {**labels, "status": "active"}) == 1
    await world.clock.advance(3700)
    await world.app.metrics.refresh()
    assert world.registry.get_sample_value("m365_token_status", {**labels, "status": "active"}) == 0
    assert world.registry.get_sample_value("m365_token_status", {**labels, "status": "expired"}) == 1


async def test_without_the_store_the_gauges_vanish(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await connected(world)
    await world.app.metrics.refresh()

    async def away() -> None:
        raise ConnectionError("documents")

    monkeypatch.setattr(world.connections, "everything", away)
    await world.clock.advance(60)
    with pytest.raises(ConnectionError):
        await world.app.metrics.refresh()
    labels = {"tenant": "contoso", "profile": "exchange-backup", "status": "active"}
    assert world.registry.get_sample_value("m365_token_status", labels) is None
