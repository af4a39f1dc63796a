import asyncio
from datetime import timedelta
from typing import Any

import pytest

from contracts import rpc
from contracts.names import Profile, TokenStatus
from contracts.problem import ProblemError
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.connection import fingerprint

INTAKE = "tenants/contoso/intake/i1"
CREDENTIAL = "tenants/contoso/credentials/exchange-backup"


async def test_a_proven_credential_is_kept_with_its_token_and_announced(world: Any) -> None:
    await world.register()
    view = await world.set_credential()
    assert (view.status, view.client_id, view.generation) == (TokenStatus.ACTIVE, "app-1", 1)
    assert await world.vault.kv_read(CREDENTIAL) == (
        {"client_id": "app-1", "client_secret": "right"},
        1,
    )
    stored = await world.token()
    (event,) = world.announcements()
    assert event.fingerprint == stored["fingerprint"] == fingerprint(stored["access_token"])
    assert (event.generation, event.expires_at) == (1, view.expires_at)
    assert world.announced.ids == ["contoso/exchange-backup"]
    assert await world.vault.kv_read(INTAKE) is None


@pytest.mark.parametrize(
    ("secret", "client_id", "number"), [("wrong", "app-1", "AADSTS7000215"), ("right", "nobody", "AADSTS700016")]
)
async def test_a_refused_credential_leaves_nothing_behind(world: Any, secret: str, client_id: str, number: str) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await world.set_credential(secret, client_id)
    assert (caught.value.problem.code, caught.value.problem.status) == ("credential-refused", 422)
    assert number in caught.value.problem.detail
    assert await world.vault.kv_read(INTAKE) is None
    assert await world.vault.kv_read(CREDENTIAL) is None
    assert await world.connections.of_tenant("contoso") == []


async def test_a_refused_credential_does_not_replace_a_good_one(world: Any) -> None:
    await world.register()
    await world.set_credential()
    before = (await world.state(), await world.token())
    with pytest.raises(ProblemError):
        await world.set_credential("wrong", intake="i2")
    assert (await world.state(), await world.token()) == before


async def test_an_outage_is_told_and_the_secret_does_not_linger(world: Any) -> None:
    await world.register()
    world.authority.down = True
    with pytest.raises(ProblemError) as caught:
        await world.set_credential()
    assert caught.value.problem.status == 503
    assert await world.vault.kv_read(INTAKE) is None


async def test_the_same_question_again_gives_the_same_answer(world: Any) -> None:
    await world.register()
    first = await world.set_credential()
    assert await world.ask_credential() == first
    assert world.authority.asked == 1


async def test_an_empty_intake_is_an_invalid_question(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await world.ask_credential(intake="never")
    assert caught.value.problem.status == 422
    await world.vault.kv_create("tenants/contoso/intake/odd", {"password": "x"})
    with pytest.raises(ProblemError):
        await world.ask_credential(intake="odd")
    assert await world.vault.kv_read("tenants/contoso/intake/odd") is None


async def test_a_credential_for_an_unknown_tenant_is_not_found(world: Any) -> None:
    with pytest.raises(ProblemError) as caught:
        await world.set_credential()
    assert caught.value.problem.status == 404


async def test_a_new_credential_replaces_the_old_one_and_continues_the_generations(world: Any) -> None:
    await world.register()
    await world.set_credential()
    view = await world.set_credential("right-2", "app-2", intake="i2")
    assert (view.client_id, view.generation) == ("app-2", 2)
    assert (await world.token())["access_token"].startswith("token-app-2")


async def test_a_credential_wins_over_a_renewal_that_runs_at_the_same_time(world: Any) -> None:
    await world.register()
    await world.set_credential()
    await world.clock.advance(3000)

    async def meanwhile() -> None:
        await world.set_credential("right-2", "app-2", intake="i2")

    world.authority.before_answer = meanwhile
    await world.app.renew.sweep()
    # The renewal may have overwritten the token in the vault: it is asked for again with the new credential.
    await world.app.renew.sweep()
    state, token = await world.state(), await world.token()
    assert state.client_id == "app-2"
    assert token["access_token"].startswith("token-app-2")
    assert token["fingerprint"] == state.token.fingerprint


async def test_two_credentials_at_once_end_in_one_consistent_state(world: Any) -> None:
    await world.register()
    await asyncio.gather(world.set_credential(intake="i1"), world.set_credential("right-2", "app-2", intake="i2"))
    state = await world.state()
    assert state.token.generation == 2
    assert len(world.announcements()) == 2


async def test_every_profile_is_listed_and_unknown_without_a_credential(world: Any) -> None:
    await world.register()
    await world.set_credential()
    listing = await world.app.questions.token_list(world.call(rpc.Nothing(), "contoso"))
    assert {view.profile: view.status for view in listing.items} == {
        Profile.DIRECTORY: TokenStatus.UNKNOWN,
        Profile.EXCHANGE_BACKUP: TokenStatus.ACTIVE,
        Profile.EXCHANGE_RESTORE: TokenStatus.UNKNOWN,
        Profile.FILES_BACKUP: TokenStatus.UNKNOWN,
        Profile.FILES_RESTORE: TokenStatus.UNKNOWN,
        Profile.SECURITY_MONITOR: TokenStatus.UNKNOWN,
    }


async def test_answers_events_and_state_hold_no_secret(world: Any) -> None:
    await world.register()
    view = await world.set_credential()
    token = (await world.token())["access_token"]
    shown = view.model_dump_json() + repr(await world.state()) + repr(world.connections.events)
    assert token not in shown
    assert "right" not in shown


async def test_a_certificate_is_proven_and_kept_like_a_secret_and_used_for_renewals(world: Any) -> None:
    await world.register()
    await world.vault.transit_create_signing_key("made-elsewhere")
    pem = await TransitKeys(world.vault, world.clock).certificate("made-elsewhere", "app", timedelta(days=1))
    pair = {"certificate": pem, "private_key": "key of right"}
    await world.vault.kv_create(INTAKE, pair)
    view = await world.ask_credential()
    assert view.status is TokenStatus.ACTIVE
    assert (await world.vault.kv_read(CREDENTIAL))[0] == {"client_id": "app-1", **pair}
    assert await world.vault.kv_read(INTAKE) is None
    await world.clock.advance(3000)
    assert await world.app.renew.sweep() == 1
    assert (await world.state()).token.generation == 2
    assert "key of right" not in view.model_dump_json() + repr(await world.state())


async def test_half_a_certificate_is_an_invalid_question(world: Any) -> None:
    await world.register()
    await world.vault.kv_create(INTAKE, {"certificate": "pem", "private_key": ""})
    with pytest.raises(ProblemError) as caught:
        await world.ask_credential()
    assert caught.value.problem.status == 422
    assert await world.vault.kv_read(INTAKE) is None
