"""Access tokens from the vault, cached in memory, one source per tenant and app profile."""

import hashlib
from datetime import datetime, timedelta

import structlog

from chassis.bus import Bus, BusUnreachable
from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.events import TokenRejected
from contracts.names import Profile
from graph_client.errors import TokenUnavailable

log = structlog.get_logger()

_MARGIN = timedelta(seconds=30)
_LOOK_AGAIN = 30.0
"""Seconds after which the vault is asked whether the token is still there: a deactivated one must not be used on."""


class VaultTokens:
    """Implements graph_client.TokenSource. Vault errors pass through: they are a hold of their own."""

    def __init__(self, vault: Vault, bus: Bus, clock: Clock, tenant: str, profile: Profile) -> None:
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._tenant = tenant
        self._profile = profile
        self._token: str | None = None
        self._expires_at: datetime | None = None
        self._looked_at = float("-inf")
        self._rejected: set[str] = set()

    async def token(self) -> str:
        """The current token; re-read from the vault when expired or rejected. TokenUnavailable when there is none."""
        if self._token is None or self._expires_at is None or self._expires_at - _MARGIN <= self._clock.now():
            await self._read()
        elif self._clock.monotonic() >= self._looked_at + _LOOK_AGAIN:
            await self._look_again()
        if self._token is None:  # refused by Graph while the vault was asked
            await self._read()
        assert self._token is not None
        return self._token

    async def rejected(self, token: str) -> None:
        """Graph answered 401 to this token: tell token-service, and look whether the vault has another one already."""
        mark = fingerprint(token)
        self._rejected.add(mark)
        self._token = None
        await self._announce(mark)

    async def _announce(self, mark: str) -> None:
        event = TokenRejected(tenant=self._tenant, at=self._clock.now(), profile=self._profile, fingerprint=mark)
        try:
            await self._bus.publish(event)
        except BusUnreachable:
            # The job is held and will complain again; token-service also renews by its own clock.
            log.warning("token rejection could not be announced", tenant=self._tenant, profile=self._profile)

    async def forbidden(self) -> None:
        """Graph answered 403: roles granted meanwhile are in a newer token only, so ask token-service for one."""
        if self._token is None:
            return
        mark, self._token = fingerprint(self._token), None
        await self._announce(mark)

    def forget(self) -> None:
        """Read the vault at the next use: a new token has been announced."""
        self._token = None

    async def _look_again(self) -> None:
        """Take what the vault has now; one that does not answer takes nothing from anybody."""
        self._looked_at = self._clock.monotonic()
        try:
            await self._read()
        except VaultError as error:
            log.warning("the vault does not say whether the token is still good", reason=type(error).__name__)
        except TokenUnavailable:
            self._token = None
            raise

    async def _read(self) -> None:
        self._looked_at = self._clock.monotonic()
        found = await self._vault.kv_read(f"tenants/{self._tenant}/tokens/{self._profile}")
        if found is None:
            raise TokenUnavailable("no_token_in_vault")
        data, _ = found
        token, expires_at = data["access_token"], datetime.fromisoformat(data["expires_at"])
        if fingerprint(token) in self._rejected:
            raise TokenUnavailable("rejected_by_graph")
        if expires_at <= self._clock.now():
            raise TokenUnavailable("expired")
        self._token, self._expires_at = token, expires_at


def fingerprint(token: str) -> str:
    """First 16 hex digits of the SHA-256, as the token events carry it."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]
