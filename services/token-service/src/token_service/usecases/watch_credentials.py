"""Find out when each credential ends, and warn before: a secret that ends unseen is a backup that stops unseen."""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.events import Event
from contracts.events.tokens import CredentialExpiring
from contracts.names import ExpirySource, Profile
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.credential import (
    ClientCertificate,
    ClientSecret,
    Credential,
    VaultKey,
    credential_in,
    end_of,
    thumbprint_of,
)
from token_service.domain.records import CredentialExpiry
from token_service.ports import Announcements, AppRegistrations, Connections, NotRead, Registered, Unanswered

log = structlog.get_logger(__name__)

_PAUSE = 60.0
"""Seconds between two rounds; a new credential is looked at in the next one."""


class WatchCredentials:
    """`look` (seconds) is how often the end of a credential is read again."""

    def __init__(
        self,
        connections: Connections,
        vault: Vault,
        registrations: AppRegistrations,
        announcements: Announcements,
        *,
        clock: Clock,
        look: float,
    ) -> None:
        self._connections = connections
        self._vault = vault
        self._registrations = registrations
        self._announcements = announcements
        self._clock = clock
        self._look = timedelta(seconds=look)
        self._next = float("-inf")

    async def sweep(self) -> int:
        """Read what is due and warn of what is near; gives how many connections changed."""
        if self._clock.monotonic() < self._next:
            return 0
        self._next = self._clock.monotonic() + _PAUSE
        known = [found for found in await self._connections.everything() if found.record and found.client_id]
        return sum([await self._watch(connection) for connection in known])

    async def _watch(self, connection: Connection) -> bool:
        expiry, now = connection.expiry, self._clock.now()
        # What was removed may have been read too early, or be put back: it is looked for again in every round.
        if expiry is None or expiry.source is ExpirySource.REMOVED or expiry.read_at + self._look <= now:
            try:
                expiry = await self._read(connection) or expiry
            except VaultError as lost:
                log.info("the end of a credential is read later", reason=type(lost).__name__)
        if expiry is None:
            return False
        days = expiry.warning(now)
        if days is not None:
            expiry = replace(expiry, warned=days)
        if expiry == connection.expiry:
            return False
        events = [] if days is None else [_expiring(connection, expiry, days, now)]
        saved = await self._connections.save(replace(connection, expiry=expiry), events)
        if saved is None:
            return False
        self._announcements.soon(saved.id)
        return True

    async def _read(self, connection: Connection) -> CredentialExpiry | None:
        """Give what is known now; None when Graph did not answer, which says nothing new."""
        found = await self._vault.kv_read(places.credentials(connection.tenant, connection.profile))
        credential = None if found is None else credential_in(found[0])
        if credential is None:
            return self._known(connection, None, ExpirySource.UNKNOWN)
        match await self._registered(connection):
            case Registered() as registered:
                return self._known(connection, *_registered_end(credential, registered))
            case NotRead():
                return self._known(connection, *_own_end(credential))
            case Unanswered():
                at, source = _own_end(credential)
                return None if connection.expiry is not None or at is None else self._known(connection, at, source)

    async def _registered(self, connection: Connection) -> Registered | NotRead | Unanswered:
        token = await self._vault.kv_read(places.token(connection.tenant, Profile.DIRECTORY))
        if token is None or connection.client_id is None:
            return NotRead("no token of the directory profile")
        return await self._registrations.credentials(connection.client_id, SecretStr(str(token[0]["access_token"])))

    def _known(self, connection: Connection, at: datetime | None, source: ExpirySource) -> CredentialExpiry:
        before = connection.expiry
        warned = before.warned if before is not None and before.at == at else None
        return CredentialExpiry(at, source, self._clock.now(), warned)


def _registered_end(credential: Credential, registered: Registered) -> tuple[datetime | None, ExpirySource]:
    """When a credential ends by what the app registration holds; an entry without a name may be any."""
    match credential:
        case ClientSecret(value=value):
            named = [(each.hint, each.ends_at) for each in registered.secrets]
            ends = [at for hint, at in named if hint and value.startswith(hint)]
        case ClientCertificate(certificate=certificate) | VaultKey(certificate=certificate):
            named = [(each.thumbprint, each.ends_at) for each in registered.certificates]
            ends = [at for thumbprint, at in named if thumbprint == thumbprint_of(certificate)]
    if ends:
        return min(ends), ExpirySource.APPLICATION  # two secrets may begin alike: the first end is the careful guess
    if all(name for name, _ in named):
        return None, ExpirySource.REMOVED
    return _own_end(credential)


def _own_end(credential: Credential) -> tuple[datetime | None, ExpirySource]:
    """When a credential ends by itself: a certificate says so, a secret does not."""
    match credential:
        case ClientSecret():
            return None, ExpirySource.UNKNOWN
        case ClientCertificate(certificate=certificate) | VaultKey(certificate=certificate):
            return end_of(certificate), ExpirySource.CERTIFICATE


def _expiring(connection: Connection, expiry: CredentialExpiry, days: int, now: datetime) -> Event:
    record = connection.record
    assert record is not None
    assert expiry.at is not None
    return CredentialExpiring(
        tenant=connection.tenant,
        at=now,
        profile=connection.profile,
        record=record.number,
        expires_at=expiry.at,
        days=days,
    )
