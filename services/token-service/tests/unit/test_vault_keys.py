"""Keys made in the vault: offered, proven, replaced with overlap, destroyed when nothing needs them."""

import asyncio
import dataclasses
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from contracts.auditing import AuditAction
from contracts.events.audit import AuditRecorded
from contracts.names import CredentialKind, ExpirySource, Profile, RecordEnd, TokenStatus
from contracts.operations import incidents
from contracts.operations import tokens as asked
from contracts.operations.base import Nothing
from contracts.problem import ProblemError

CREDENTIAL = "tenants/contoso/credentials/exchange-backup"
OF_PROFILE = asked.OfProfile(profile=Profile.EXCHANGE_BACKUP)


def key(number: int) -> str:
    return f"app.contoso.exchange-backup.{number}"


async def signing(world: Any, number: int = 1) -> Any:
    """A profile that signs in with its n-th key."""
    if number == 1:
        await world.register()
    offer = await world.offer_key()
    assert offer.number == number
    await world.set_vault_key()
    return offer


async def test_an_offer_is_public_and_the_same_until_it_is_used(world: Any) -> None:
    await world.register()
    offer, again = await world.offer_key(), await world.offer_key()
    assert offer == again
    certificate = x509.load_pem_x509_certificate(offer.certificate.encode())
    assert offer.thumbprint == certificate.fingerprint(hashes.SHA1()).hex().upper()
    assert offer.thumbprint_sha256 == certificate.fingerprint(hashes.SHA256()).hex().upper()
    assert (offer.expires_at - offer.offered_at).days == 365
    assert "PRIVATE" not in offer.model_dump_json() + repr(await world.state())
    told = [event for event in world.announcements(AuditRecorded) if event.action == AuditAction.PROFILE_OFFER_KEY]
    assert len(told) == 1
    assert await world.vault.transit_has_key(key(1))
    assert not await world.vault.transit_has_key(key(2))


async def test_who_asks_at_once_gets_one_key(world: Any) -> None:
    await world.register()
    offers = await asyncio.gather(*(world.offer_key() for _ in range(4)))
    assert len({offer.thumbprint for offer in offers}) == 1
    assert not await world.vault.transit_has_key(key(2))


async def test_what_is_kept_of_a_key_is_its_name_and_its_certificate(world: Any) -> None:
    offer = await signing(world)
    assert (await world.vault.kv_read(CREDENTIAL))[0] == {
        "client_id": "app-1",
        "certificate": offer.certificate,
        "vault_key": key(1),
    }
    details = await world.ask(world.app.token_questions.token_get, OF_PROFILE)
    assert (details.status, details.credential) == (TokenStatus.ACTIVE, CredentialKind.VAULT_KEY)
    assert (details.records[0].key, details.records[0].thumbprint) == (1, offer.thumbprint)
    await world.incident_app.watch.sweep()
    expiry = (await world.state()).expiry
    assert (expiry.at, expiry.source) == (offer.expires_at, ExpirySource.CERTIFICATE)


async def test_until_the_new_key_is_proven_the_old_one_signs(world: Any) -> None:
    first = await signing(world)
    await world.offer_key(upload=False)
    with pytest.raises(ProblemError) as caught:
        await world.set_vault_key()
    assert caught.value.problem.code == "credential-refused"
    await world.clock.advance(3000)
    assert await world.app.renew.sweep() == 1
    state = await world.state()
    assert (state.key, state.token.generation, state.trouble) == (1, 2, None)
    assert (await world.vault.kv_read(CREDENTIAL))[0]["certificate"] == first.certificate
    assert await world.vault.transit_has_key(key(2)), "the offer stands"


async def test_an_offer_whose_key_was_lost_with_the_vault_is_made_anew(world: Any) -> None:
    await world.register()
    lost = await world.offer_key()
    await world.vault.transit_destroy_signing_key(key(1))
    offer = await world.offer_key()
    assert (lost.number, offer.number) == (1, 2)
    await world.set_vault_key()
    assert (await world.state()).key == 2


async def test_the_old_key_is_destroyed_once_the_new_one_is_proven(world: Any) -> None:
    await signing(world)
    await world.clock.advance(60)
    await signing(world, 2)
    assert [await world.vault.transit_has_key(key(number)) for number in (1, 2)] == [False, True]
    details = await world.ask(world.app.token_questions.token_get, OF_PROFILE)
    new, old = details.records
    assert (old.ended, old.key, old.key_destroyed_at) == (RecordEnd.REPLACED, 1, world.clock.now())
    assert (new.ended, new.key, new.key_destroyed_at) == (None, 2, None)
    await world.clock.advance(3000)
    assert await world.app.renew.sweep() == 1
    assert (await world.state()).trouble is None


@pytest.mark.parametrize("first", ["secret", "key"])
async def test_each_kind_takes_the_place_of_the_other(world: Any, first: str) -> None:
    await world.register()
    if first == "secret":
        await world.set_credential()
    await world.offer_key()
    await world.set_vault_key()
    if first == "key":
        await world.set_credential()
    ended, kept = (await world.state()).records
    assert {ended.credential, kept.credential} == {CredentialKind.SECRET, CredentialKind.VAULT_KEY}
    assert await world.vault.transit_has_key(key(1)) is (first == "secret")
    assert ("client_secret" in (await world.vault.kv_read(CREDENTIAL))[0]) is (first == "key")


async def test_asking_twice_to_sign_in_with_it_changes_nothing(world: Any) -> None:
    await signing(world)
    before = await world.state()
    await world.set_vault_key()
    assert await world.state() == before
    with pytest.raises(ProblemError) as caught:
        await world.set_vault_key("app-2")
    assert caught.value.problem.status == 422


async def test_a_key_that_a_vault_did_not_destroy_goes_with_the_next_renewal(world: Any) -> None:
    await signing(world)
    world.vault.keeps_keys = True
    await signing(world, 2)
    assert (await world.state()).spent_keys == (1,)
    world.vault.keeps_keys = False
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    state = await world.state()
    assert (state.spent_keys, state.records[0].key_destroyed_at) == ((), world.clock.now())
    assert not await world.vault.transit_has_key(key(1))


async def test_a_key_that_the_kept_credential_names_is_never_destroyed(world: Any) -> None:
    """As after a crash between vault and document, when later another certificate was offered."""
    await signing(world)
    state = await world.state()
    await world.connections.save(dataclasses.replace(state, spent_keys=(1,)))
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    assert (await world.state()).trouble is None
    assert await world.vault.transit_has_key(key(1))


@pytest.mark.parametrize("how", ["deactivate", "delete", "incident"])
async def test_a_token_that_is_switched_off_takes_its_keys_along(world: Any, how: str) -> None:
    await signing(world)
    await world.offer_key()
    questions = world.app.token_questions
    if how == "incident":
        wish = incidents.OpenIncident(profile=Profile.EXCHANGE_BACKUP, report="seen in a ticket")
        await world.ask(world.incident_app.questions.incident_open, wish)
    else:
        retire = questions.token_deactivate if how == "deactivate" else questions.token_delete
        await world.ask(retire, asked.RetireToken(profile=Profile.EXCHANGE_BACKUP))
    assert [await world.vault.transit_has_key(key(number)) for number in (1, 2)] == [False, False]
    assert (await world.state()).records[-1].key_destroyed_at == world.clock.now()
    await world.clock.advance(120)
    await world.app.renew.sweep()
    assert (await world.offer_key()).number == 3, "a number is never given twice"
    assert (await world.set_vault_key()).status is TokenStatus.ACTIVE


async def test_an_offer_of_a_profile_without_anything_else_can_be_taken_back(world: Any) -> None:
    await world.register()
    await world.offer_key()
    await world.ask(world.app.token_questions.token_delete, asked.RetireToken(profile=Profile.EXCHANGE_BACKUP))
    assert not await world.vault.transit_has_key(key(1))


async def test_a_certificate_that_was_forgotten_is_made_anew(world: Any) -> None:
    await world.register()
    await world.offer_key()
    await world.clock.advance(200 * 86_400)
    assert (await world.offer_key()).number == 2
    await world.set_vault_key()
    assert not await world.vault.transit_has_key(key(1))


async def test_replicas_share_the_work_and_ask_once_with_a_key_too(world: Any) -> None:
    await signing(world)
    await world.clock.advance(3000)
    replicas = [world.replica() for _ in range(4)]
    await asyncio.gather(*(replica.renew.sweep() for replica in replicas))
    assert world.authority.asked == 2
    assert (await world.state()).token.generation == 2


async def test_a_vault_that_is_away_holds_the_renewal_and_the_token_stays(world: Any) -> None:
    await signing(world)
    good = await world.token()
    world.vault.down = True
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    assert (await world.state()).trouble.error.value == "vault_unreachable"
    world.vault.down = False
    assert await world.token() == good
    await world.clock.advance(300)
    await world.app.renew.sweep()
    assert (await world.state()).trouble is None


async def test_what_is_brought_to_the_intake_names_no_key_of_the_vault(world: Any) -> None:
    """Who brings credentials could name another tenant's key."""
    offer = await signing(world)
    brought = {"certificate": offer.certificate, "vault_key": key(1)}
    await world.vault.kv_create("tenants/contoso/intake/i9", brought)
    with pytest.raises(ProblemError) as caught:
        await world.ask_credential(intake="i9")
    assert caught.value.problem.status == 422


async def test_a_key_is_taken_up_again_when_the_documents_were_lost(world: Any, new_world: Any) -> None:
    await signing(world)
    after = new_world()
    after.vault, after.authority = world.vault, world.authority
    after.app = after.replica()
    await after.register()
    await after.app.renew.sweep()
    state = await after.state()
    assert (state.key, state.keys, state.status(after.clock.now())) == (1, 1, TokenStatus.ACTIVE)
    await after.offer_key()
    await after.set_vault_key()
    assert not await world.vault.transit_has_key(key(1)), "and goes like any other"


async def test_a_tenant_that_ends_takes_no_new_key(world: Any) -> None:
    await world.register()
    await world.ask(world.offboarding.begin, Nothing())
    with pytest.raises(ProblemError):
        await world.offer_key()
