"""When a credential ends is known where it can be, unknown where it cannot, and warned of three times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from contracts.names import ExpirySource, Profile
from contracts.operations.tokens import OfProfile
from token_service.ports import NotRead, Registered, RegisteredSecret, Unanswered
from token_service.usecases.watch_credentials import WatchCredentials

BACKUP = OfProfile(profile=Profile.EXCHANGE_BACKUP)
DAY = 86_400.0


@pytest.fixture
async def watched(world: Any) -> Any:
    """A profile with a secret, and a directory token to read its app registration with."""
    await world.register()
    await world.set_credential()
    await world.vault.kv_create("tenants/contoso/intake/i2", {"client_secret": "right-2"})
    await world.set_directory()
    world.watch = new_watch(world)
    return world


def new_watch(world: Any) -> WatchCredentials:
    return WatchCredentials(
        world.connections, world.vault, world.registrations, world.announced, clock=world.clock, look=DAY
    )


def registered(world: Any, days: float, hint: str = "rig") -> Registered:
    ends_at = world.clock.now() + timedelta(days=days)
    return Registered((RegisteredSecret("xyz", world.clock.now()), RegisteredSecret(hint, ends_at)))


def warnings(world: Any) -> list[int]:
    events = world.connections.events["contoso/exchange-backup"]
    return [event.days for event in events if event.NAME == "credential-expiring"]


async def rounds(world: Any, days: int) -> None:
    for _ in range(days):
        await world.clock.advance(DAY)
        await world.vault.kv_write("tenants/contoso/tokens/directory", {"access_token": "directory-token"})
        await world.watch.sweep()


async def test_the_end_is_read_from_the_application_and_warned_of_at_60_30_and_7_days(watched: Any) -> None:
    watched.registrations.registered = registered(watched, 100)
    await watched.watch.sweep()
    details = await watched.ask(watched.app.token_questions.token_get, BACKUP)
    assert details.credential_expires_at == watched.clock.now() + timedelta(days=100)
    assert details.credential_expiry is ExpirySource.APPLICATION
    await rounds(watched, 39)
    assert warnings(watched) == []
    await rounds(watched, 1)
    assert warnings(watched) == [60]
    await rounds(watched, 29)
    assert warnings(watched) == [60]
    await rounds(watched, 40)
    assert warnings(watched) == [60, 30, 7]


async def test_a_credential_found_late_is_warned_of_once(watched: Any) -> None:
    watched.registrations.registered = registered(watched, 5)
    await watched.watch.sweep()
    await rounds(watched, 3)
    assert warnings(watched) == [7]


async def test_two_replicas_warn_once(watched: Any) -> None:
    watched.registrations.registered = registered(watched, 20)
    other = new_watch(watched)
    await watched.watch.sweep()
    await other.sweep()
    assert warnings(watched) == [30]


@pytest.mark.parametrize("answer", [NotRead("Request_ResourceNotFound"), Registered(())])
async def test_what_cannot_be_read_is_unknown_and_shown_as_such(watched: Any, answer: Any) -> None:
    watched.registrations.registered = answer
    await watched.watch.sweep()
    details = await watched.ask(watched.app.token_questions.token_get, BACKUP)
    assert (details.credential_expires_at, details.credential_expiry) == (None, ExpirySource.UNKNOWN)
    assert (await watched.state()).expiry.source is ExpirySource.UNKNOWN


async def test_a_graph_that_does_not_answer_takes_no_date_away(watched: Any) -> None:
    watched.registrations.registered = registered(watched, 61)
    await watched.watch.sweep()
    watched.registrations.registered = Unanswered("HTTP 503")
    await rounds(watched, 2)
    assert (await watched.state()).expiry.source is ExpirySource.APPLICATION
    assert warnings(watched) == [60]


async def test_without_a_directory_token_the_end_of_a_secret_is_unknown(world: Any) -> None:
    await world.register()
    await world.set_credential()
    await new_watch(world).sweep()
    assert (await world.state()).expiry.source is ExpirySource.UNKNOWN


async def test_a_new_credential_is_warned_of_anew(watched: Any) -> None:
    watched.registrations.registered = registered(watched, 20)
    await watched.watch.sweep()
    await watched.set_credential(intake="i3")
    assert (await watched.state()).expiry is None
    await watched.clock.advance(61)
    await watched.watch.sweep()
    assert warnings(watched) == [30, 30]


async def test_a_certificate_says_itself_when_it_ends(watched: Any) -> None:
    ends = datetime(2031, 5, 6, tzinfo=UTC)
    pair = {"client_id": "app-1", "certificate": certificate(ends), "private_key": "key of right"}
    await watched.vault.kv_write("tenants/contoso/credentials/exchange-backup", pair)
    await watched.watch.sweep()
    expiry = (await watched.state()).expiry
    assert (expiry.at, expiry.source) == (ends, ExpirySource.CERTIFICATE)


def certificate(ends: datetime) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - timedelta(days=700)).not_valid_after(ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
