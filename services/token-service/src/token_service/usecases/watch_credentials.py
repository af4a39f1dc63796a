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
from token_service.domain.credential import ClientCertificate, ClientSecret, VaultKey, credential_in, end_of
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
        if expiry is None or expiry.read_at + self._look <= now:
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
        """Give what is known now; None when Graph did not answer, which says nothing."""
        found = await self._vault.kv_read(places.credentials(connection.tenant, connection.profile))
        credential = None if found is None else credential_in(found[0])
        match credential:
            case None:
                return self._known(connection, None, ExpirySource.UNKNOWN)
            case ClientCertificate() | VaultKey():
                return self._known(connection, end_of(credential.certificate), ExpirySource.CERTIFICATE)
            case ClientSecret():
                return await self._registered(connection, credential)

    async def _registered(self, connection: Connection, secret: ClientSecret) -> CredentialExpiry | None:
        token = await self._vault.kv_read(places.token(connection.tenant, Profile.DIRECTORY))
        if token is None or connection.client_id is None:
            return self._known(connection, None, ExpirySource.UNKNOWN)
        value = SecretStr(str(token[0]["access_token"]))
        match await self._registrations.secrets(connection.client_id, value):
            case Registered(secrets=secrets):
                # Two secrets may begin alike; the one that ends first is the careful guess.
                ends = [each.ends_at for each in secrets if secret.value.startswith(each.hint)]
                source = ExpirySource.APPLICATION if ends else ExpirySource.UNKNOWN
                return self._known(connection, min(ends, default=None), source)
            case NotRead():
                return self._known(connection, None, ExpirySource.UNKNOWN)
            case Unanswered():
                return None

    def _known(self, connection: Connection, at: datetime | None, source: ExpirySource) -> CredentialExpiry:
        before = connection.expiry
        warned = before.warned if before is not None and before.at == at else None
        return CredentialExpiry(at, source, self._clock.now(), warned)


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
