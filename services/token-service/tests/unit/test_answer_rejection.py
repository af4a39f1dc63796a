import asyncio
from typing import Any

import pytest

from chassis.errors import RetryLater
from contracts.events.tokens import TokenRejected
from contracts.names import Profile


async def rejection(world: Any, fingerprint: str | None = None) -> TokenRejected:
    return TokenRejected(
        tenant="contoso",
        at=world.clock.now(),
        profile=Profile.EXCHANGE_BACKUP,
        fingerprint=fingerprint or (await world.state()).token.fingerprint,
    )


async def connected(world: Any) -> None:
    await world.register()
    await world.set_credential()
    await world.clock.advance(60)


async def test_a_rejected_token_is_renewed_at_once(world: Any) -> None:
    await connected(world)
    await world.app.answer_rejection(await rejection(world))
    assert (await world.state()).token.generation == 2
    assert (await world.token())["generation"] == 2


async def test_a_rejection_of_an_older_token_changes_nothing(world: Any) -> None:
    await connected(world)
    event = await rejection(world)
    await world.app.answer_rejection(event)
    await world.app.answer_rejection(event)
    assert (await world.state()).token.generation == 2
    assert world.authority.asked == 2


async def test_many_workers_complaining_at_once_lead_to_one_renewal(world: Any) -> None:
    await connected(world)
    event = await rejection(world)
    answers = [world.app.answer_rejection(event) for _ in range(10)]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert all(result is None or isinstance(result, RetryLater) for result in results)
    assert (await world.state()).token.generation == 2


async def test_a_token_refused_as_soon_as_it_was_issued_is_renewed_after_a_pause(world: Any) -> None:
    await connected(world)
    await world.app.answer_rejection(await rejection(world))
    await world.app.answer_rejection(await rejection(world))
    assert (await world.state()).token.generation == 2
    await world.clock.advance(6)
    await world.app.renew.sweep()
    assert (await world.state()).token.generation == 3


async def test_a_token_the_vault_lost_is_renewed(world: Any) -> None:
    await connected(world)
    await world.vault.kv_delete("tenants/contoso/tokens/exchange-backup")
    await world.app.answer_rejection(await rejection(world, "0" * 16))
    assert (await world.token())["generation"] == 2


async def test_a_complaint_about_an_unknown_connection_is_ignored(world: Any) -> None:
    await world.app.answer_rejection(await rejection(world, "0" * 16))
    assert world.authority.asked == 0


async def test_a_sealed_vault_puts_the_complaint_back(world: Any) -> None:
    await connected(world)
    event = await rejection(world)
    world.vault.down = True
    with pytest.raises(RetryLater):
        await world.app.answer_rejection(event)
