"""Access tokens of the profile `directory` from the vault, cached in memory, one source per tenant."""

import hashlib
from datetime import datetime, timedelta

import structlog

from chassis.bus import Bus, BusUnreachable
from chassis.clock import Clock
from chassis.vault import Vault
from contracts.events import TokenRejected
from contracts.names import Profile
from graph_client.errors import TokenUnavailable

log = structlog.get_logger(__name__)

_MARGIN = timedelta(seconds=30)
_PROFILE = Profile.DIRECTORY


class VaultTokens:
    """Implements graph_client.TokenSource. Vault errors pass through: they are a hold of their own."""

    def __init__(self, vault: Vault, bus: Bus, clock: Clock, tenant: str) -> None:
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._tenant = tenant
        self._token: str | None = None
        self._expires_at: datetime | None = None
        self._rejected: set[str] = set()

    async def token(self) -> str:
        """The current token; read again when it ends or was rejected. Raises TokenUnavailable."""
        token, expires_at = self._token, self._expires_at
        if token is None or expires_at is None or expires_at - _MARGIN <= self._clock.now():
            token = await self._read()
        return token

    async def rejected(self, token: str) -> None:
        """Graph answered 401 to this token: tell token-service, and look whether the vault has another one already."""
        mark = _fingerprint(token)
        self._rejected.add(mark)
        self._token = None
        await self._complain(mark)

    async def forbidden(self) -> None:
        """Graph answered 403: roles granted meanwhile are in a newer token only, so ask token-service for one."""
        if self._token is not None:
            mark, self._token = _fingerprint(self._token), None
            await self._complain(mark)

    def forget(self) -> None:
        """Read the vault at the next use: a new token has been announced."""
        self._token = None

    async def _complain(self, mark: str) -> None:
        event = TokenRejected(tenant=self._tenant, at=self._clock.now(), profile=_PROFILE, fingerprint=mark)
        try:
            await self._bus.publish(event)
        except BusUnreachable:
            # The run is held and will complain again; token-service also renews by its own clock.
            log.warning("token rejection could not be announced", tenant=self._tenant)

    async def _read(self) -> str:
        found = await self._vault.kv_read(f"tenants/{self._tenant}/tokens/{_PROFILE}")
        if found is None:
            raise TokenUnavailable("no_token_in_vault")
        data, _ = found
        token, expires_at = str(data["access_token"]), datetime.fromisoformat(data["expires_at"])
        if _fingerprint(token) in self._rejected:
            raise TokenUnavailable("rejected_by_graph")
        if expires_at <= self._clock.now():
            raise TokenUnavailable("expired")
        self._token, self._expires_at = token, expires_at
        return token


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]
