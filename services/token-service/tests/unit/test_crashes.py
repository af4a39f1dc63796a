"""Death at every single step: before a write, and after it but before anybody learns that it happened."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from contracts import rpc
from contracts.names import Profile, TokenStatus
from contracts.offboarding import OffboardingDeed, OffboardingState
from contracts.onboarding import OnboardingStep

_STEPS = {
    "vault": (
        *("kv_read", "kv_write", "kv_metadata", "kv_delete", "transit_create_key"),
        *("transit_create_signing_key", "transit_public_key", "transit_sign", "transit_destroy_signing_key"),
    ),
    "tenants": ("add", "get"),
    "connections": ("get", "save", "due"),
    "authority": ("acquire",),
    "onboardings": ("get", "save", "due", "known"),
    "backups": ("protection", "holdings"),
    "offboardings": ("get", "save"),
}


class Died(BaseException):
    """Not an Exception, so that nothing in the code can survive it."""


class Reaper:
    """Lets `steps` port operations happen; the next one dies before or after its effect, later ones die at once."""

    def __init__(self, world: Any, monkeypatch: pytest.MonkeyPatch, steps: int, *, after_effect: bool) -> None:
        self.left = steps
        self.alive = True
        self._after_effect = after_effect
        for port, names in _STEPS.items():
            for name in names:
                original = getattr(getattr(world, port), name)
                monkeypatch.setattr(getattr(world, port), name, self._mortal(original))

    def _mortal(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(*args: Any, **options: Any) -> Any:
            if not self.alive:
                raise Died
            if self.left > 0:
                self.left -= 1
                return await original(*args, **options)
            self.alive = False
            if self._after_effect:
                await original(*args, **options)
            raise Died

        return step


async def assert_consistent(world: Any, generations: list[int]) -> None:
    state, token = await world.state(), await world.token()
    assert token is not None
    assert state.token.fingerprint == token["fingerprint"]
    assert state.token.generation == token["generation"]
    assert state.status(world.clock.now()) is TokenStatus.ACTIVE
    assert [event.generation for event in world.announcements()] == generations
    assert world.announcements()[-1].fingerprint == token["fingerprint"]


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_credential_survives_death_at_any_step(new_world: Callable[[], Any], after_effect: bool) -> None:  # noqa: FBT001 - pytest hands it in
    survived = 0
    for steps in range(40):
        world = new_world()
        await world.register()
        await world.vault.kv_create("tenants/contoso/intake/i1", {"client_secret": "right"})
        with pytest.MonkeyPatch.context() as patch:
            reaper = Reaper(world, patch, steps, after_effect=after_effect)
            try:
                await world.ask_credential()
            except Died:
                survived += 1
        view = await world.ask_credential()
        assert view.status is TokenStatus.ACTIVE
        assert await world.vault.kv_read("tenants/contoso/intake/i1") is None
        assert await world.vault.kv_read("tenants/contoso/credentials/exchange-backup") is not None
        await assert_consistent(world, list(range(1, view.generation + 1)))
        if reaper.alive:
            assert survived == steps > 6
            return
    pytest.fail("the question never ended")


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_change_of_keys_survives_death_at_any_step(new_world: Callable[[], Any], after_effect: bool) -> None:  # noqa: FBT001 - pytest hands it in
    for steps in range(60):
        world = new_world()
        await world.register()
        await world.offer_key()
        await world.set_vault_key()
        with pytest.MonkeyPatch.context() as patch:
            reaper = Reaper(world, patch, steps, after_effect=after_effect)
            with contextlib.suppress(Died):
                await world.offer_key()
                await world.set_vault_key()
        if not reaper.alive:
            await world.app.renew.sweep()
            assert (await world.state()).trouble is None, "whichever key it is, it works"
            if (await world.state()).key == 1:
                await world.offer_key()
            await world.set_vault_key()
        await world.clock.advance(3000)
        await world.app.renew.sweep()
        state = await world.state()
        name = "app.contoso.exchange-backup.{}".format
        keys = [number for number in range(1, 5) if await world.vault.transit_has_key(name(number))]
        assert (state.key, keys, state.spent_keys, state.trouble) == (2, [2], (), None)
        await assert_consistent(world, list(range(1, state.token.generation + 1)))
        if reaper.alive:
            assert steps > 10
            return
    pytest.fail("the change never ended")


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_renewal_survives_death_at_any_step(new_world: Callable[[], Any], after_effect: bool) -> None:  # noqa: FBT001 - pytest hands it in
    for steps in range(40):
        world = new_world()
        await world.register()
        await world.set_credential()
        await world.clock.advance(2600)
        with pytest.MonkeyPatch.context() as patch:
            reaper = Reaper(world, patch, steps, after_effect=after_effect)
            try:
                await world.app.renew.sweep()
            except* Died:
                reaper.alive = False
        await world.clock.advance(61)
        await world.app.renew.sweep()
        await assert_consistent(world, [1, 2])
        if reaper.alive:
            assert steps > 6
            return
    pytest.fail("the renewal never ended")


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_registration_survives_death_at_any_step(new_world: Callable[[], Any], after_effect: bool) -> None:  # noqa: FBT001 - pytest hands it in
    for steps in range(20):
        world = new_world()
        with pytest.MonkeyPatch.context() as patch:
            reaper = Reaper(world, patch, steps, after_effect=after_effect)
            try:
                await world.register()
            except Died:
                assert not reaper.alive
        tenant = await world.register()
        assert tenant.tenant == "contoso"
        await world.vault.transit_data_key("tenant-contoso")
        if reaper.alive:
            assert steps == 10  # three stores, and a look for each credential the vault may hold
            return
    pytest.fail("the registration never ended")


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_an_onboarding_survives_death_at_any_step(new_world: Callable[[], Any], after_effect: bool) -> None:  # noqa: FBT001 - pytest hands it in
    for steps in range(20):
        world = new_world()
        await world.register()
        await world.set_credential()
        await world.clock.advance(1)
        await world.permissions.check("contoso", Profile.EXCHANGE_BACKUP)
        world.backups.finished(world.clock.now())
        with pytest.MonkeyPatch.context() as patch:
            reaper = Reaper(world, patch, steps, after_effect=after_effect)
            try:
                await world.onboarding.nudge.look("contoso")
            except Died:
                assert not reaper.alive
        await world.onboarding.look.enrol()
        await world.clock.advance(301)
        await world.onboarding.look.sweep()
        stored = await world.onboardings.get("contoso")
        assert stored.state is OnboardingStep.PRODUCTIVE
        assert [event.state for event in world.onboardings.events["contoso"]] == [OnboardingStep.PRODUCTIVE]
        if reaper.alive:
            assert steps > 4
            return
    pytest.fail("the look never ended")


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_a_stop_survives_death_at_any_step(new_world: Callable[[], Any], after_effect: bool) -> None:  # noqa: FBT001 - pytest hands it in
    for steps in range(40):
        world = new_world()
        await world.register()
        await world.set_credential()
        begin = world.call(rpc.Nothing(), "contoso")
        with pytest.MonkeyPatch.context() as patch:
            reaper = Reaper(world, patch, steps, after_effect=after_effect)
            try:
                await world.offboarding.begin(begin)
            except Died:
                assert not reaper.alive
        view = await world.offboarding.begin(begin)
        assert view.state is OffboardingState.STOPPED
        assert [deed.deed for deed in view.deeds] == [
            OffboardingDeed.BEGUN,
            OffboardingDeed.TOKENS_DEACTIVATED,
            OffboardingDeed.STOPPED,
        ]
        await world.clock.advance(61)
        await world.app.renew.sweep()  # what a death left in the vault is destroyed when its reservation is over
        assert await world.token() is None
        assert await world.vault.kv_read("tenants/contoso/credentials/exchange-backup") is None
        if reaper.alive:
            assert steps > 8
            return
    pytest.fail("the stop never ended")
