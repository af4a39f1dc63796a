"""What a gateway brought and nobody took does not stay in the vault."""

from random import Random
from typing import Any

import pytest

from chassis.ids import new_ulid
from chassis.vault import VaultDenied, VaultUnreachable
from token_service.usecases.clear_intake import ClearIntake

LIFE = 600.0


class Ruined:
    """A vault that cannot be listed for a reason."""

    def __init__(self, vault: Any) -> None:
        self.vault = vault
        self.error: Exception | None = None
        self.lists = 0

    async def kv_list(self, path: str) -> tuple[str, ...]:
        self.lists += 1
        if self.error is not None:
            raise self.error
        found: tuple[str, ...] = await self.vault.kv_list(path)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.vault, name)


async def brought(world: Any, tenant: str = "contoso", name: str | None = None) -> str:
    """The path of a secret the gateway has just put down."""
    path = f"tenants/{tenant}/intake/{name or new_ulid(world.clock, Random(7))}"
    await world.vault.kv_create(path, {"client_secret": "forgotten"})
    return path


async def test_a_secret_that_nobody_took_is_destroyed_and_one_that_is_awaited_is_not(world: Any) -> None:
    await world.register()
    clear = ClearIntake(world.tenants, world.vault, world.clock, LIFE)
    old = [await brought(world), await brought(world, name="not-of-the-gateway")]
    await world.clock.advance(LIFE + 1)
    fresh = await brought(world)
    assert await clear.sweep() == 2
    assert [await world.vault.kv_read(path) for path in old] == [None, None]
    assert await world.vault.kv_read(fresh) is not None
    await world.clock.advance(LIFE - 1)
    assert await clear.sweep() == 0
    await world.clock.advance(2)
    assert await clear.sweep() == 1
    assert await world.vault.kv_read(fresh) is None


async def test_the_vault_is_asked_once_per_life_and_again_after_an_outage(world: Any) -> None:
    await world.register()
    vault = Ruined(world.vault)
    clear = ClearIntake(world.tenants, vault, world.clock, LIFE)
    await brought(world)
    await world.clock.advance(LIFE + 1)
    vault.error = VaultUnreachable("LIST", "kv/metadata", "no answer")
    for _ in range(2):
        with pytest.raises(VaultUnreachable):
            await clear.sweep()
    vault.error = VaultDenied("LIST", "kv/metadata", "permission denied")
    assert [await clear.sweep() for _ in range(3)] == [0, 0, 0]
    assert vault.lists == 3, "what is denied stays denied for a while"
    vault.error = None
    await world.clock.advance(LIFE)
    assert [await clear.sweep() for _ in range(3)] == [1, 0, 0]
