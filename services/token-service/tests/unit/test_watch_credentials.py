"""When a credential ends is known where it can be, unknown where it cannot, and warned of three times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from contracts.names import CredentialKind, ExpirySource, Profile
from contracts.operations.tokens import OfProfile
from token_service.domain.credential import thumbprint_of
from token_service.ports import NotRead, Registered, RegisteredCertificate, RegisteredSecret, Unanswered
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


@pytest.mark.parametrize(
    "answer",
    [NotRead("Request_ResourceNotFound"), Registered((RegisteredSecret("", datetime(2027, 1, 1, tzinfo=UTC)),))],
)
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


@pytest.mark.parametrize(
    "answer", [Registered(()), Registered((RegisteredSecret("xyz", datetime(2027, 1, 1, tzinfo=UTC)),))]
)
async def test_a_secret_that_the_app_registration_holds_no_more_is_shown_as_removed(watched: Any, answer: Any) -> None:
    watched.registrations.registered = answer
    await watched.watch.sweep()
    details = await watched.ask(watched.app.token_questions.token_get, BACKUP)
    assert (details.credential_expires_at, details.credential_expiry) == (None, ExpirySource.REMOVED)


@pytest.fixture(params=[CredentialKind.CERTIFICATE, CredentialKind.VAULT_KEY])
async def with_certificate(watched: Any, request: pytest.FixtureRequest) -> Any:
    """The profile signs in with a certificate and its key, or a key in the vault; `world.pem` is its certificate."""
    watched.pem = certificate(OWN_END)
    keys = {
        CredentialKind.CERTIFICATE: {"private_key": "key of right"},
        CredentialKind.VAULT_KEY: {"vault_key": "app.contoso.exchange-backup.1"},
    }
    kept = {"client_id": "app-1", "certificate": watched.pem, **keys[request.param]}
    await watched.vault.kv_write("tenants/contoso/credentials/exchange-backup", kept)
    return watched


OWN_END = datetime(2031, 5, 6, tzinfo=UTC)
REGISTERED_END = datetime(2030, 1, 2, tzinfo=UTC)
OTHER = RegisteredCertificate("AB" * 20, datetime(2027, 1, 1, tzinfo=UTC))
NAMELESS = RegisteredCertificate("", datetime(2027, 1, 1, tzinfo=UTC))


async def looked(world: Any, *certificates: RegisteredCertificate) -> tuple[datetime | None, ExpirySource]:
    """What is known after the next look, while the app registration holds these."""
    world.registrations.registered = Registered(certificates=certificates)
    await world.clock.advance(61)
    await world.watch.sweep()
    expiry = (await world.state()).expiry
    return expiry.at, expiry.source


async def test_the_end_of_a_certificate_is_that_of_its_own_entry_in_the_app_registration(with_certificate: Any) -> None:
    mine = RegisteredCertificate(thumbprint_of(with_certificate.pem), REGISTERED_END)
    assert await looked(with_certificate, OTHER, mine) == (REGISTERED_END, ExpirySource.APPLICATION)


async def test_a_certificate_that_was_taken_off_the_app_registration_is_shown_until_it_is_back(
    with_certificate: Any,
) -> None:
    mine = RegisteredCertificate(thumbprint_of(with_certificate.pem), REGISTERED_END)
    assert await looked(with_certificate, OTHER) == (None, ExpirySource.REMOVED)
    assert await looked(with_certificate, OTHER, mine) == (REGISTERED_END, ExpirySource.APPLICATION)


async def test_an_entry_that_names_no_certificate_may_be_ours(with_certificate: Any) -> None:
    assert await looked(with_certificate, OTHER, NAMELESS) == (OWN_END, ExpirySource.CERTIFICATE)


@pytest.mark.parametrize("answer", [NotRead("Request_ResourceNotFound"), Unanswered("HTTP 503")])
async def test_a_certificate_says_itself_when_it_ends_where_the_registration_cannot_be_read(
    with_certificate: Any, answer: Any
) -> None:
    with_certificate.registrations.registered = answer
    await with_certificate.watch.sweep()
    expiry = (await with_certificate.state()).expiry
    assert (expiry.at, expiry.source) == (OWN_END, ExpirySource.CERTIFICATE)


def certificate(ends: datetime) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - timedelta(days=700)).not_valid_after(ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
