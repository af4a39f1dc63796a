"""Make a key for an app in the vault, and offer its certificate for upload. What is in use stays in use."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultDenied, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import Profile
from contracts.problem import conflict, not_found, unavailable
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.credential import end_of, thumbprint_of
from token_service.domain.records import KeyOffer
from token_service.ports import Announcements, Connections, Tenants

log = structlog.get_logger(__name__)

_ATTEMPTS = 5

Certify = Callable[[str, str, timedelta], Awaitable[str]]
"""Make a self-signed certificate (PEM): key in the vault, name, life."""


class OfferVaultKey:
    """The number of a key, and so its name, is known before it is made: whoever was cut short finds it again."""

    def __init__(
        self,
        tenants: Tenants,
        connections: Connections,
        vault: Vault,
        announcements: Announcements,
        *,
        certify: Certify,
        clock: Clock,
        life: timedelta,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._vault = vault
        self._announcements = announcements
        self._certify = certify
        self._clock = clock
        self._life = life

    async def __call__(self, tenant: str, profile: Profile, caller: Caller) -> KeyOffer:
        """Give the offer that stands, or make one. Raises ProblemError."""
        if await self._tenants.get(tenant) is None:
            raise not_found("tenant")
        try:
            return await self._offer(tenant, profile, caller)
        except VaultDenied as error:
            raise unavailable("the vault's policy does not let token-service make keys; renew the policies") from error
        except VaultError as error:
            raise unavailable("the vault does not answer; ask for the certificate again shortly") from error

    async def _offer(self, tenant: str, profile: Profile, caller: Caller) -> KeyOffer:
        for _ in range(_ATTEMPTS):
            known = await self._connections.get(tenant, profile) or Connection(tenant, profile)
            now = self._clock.now()
            if known.offered is not None and await self._stands(known, known.offered, now):
                return known.offered
            offer = await self._made(known, caller, now)
            told = recorded(
                AuditAction.PROFILE_OFFER_KEY,
                profile,
                tenant=tenant,
                caller=caller,
                at=now,
                after={"key": offer.number, "thumbprint": thumbprint_of(offer.certificate)},
            )
            saved = await self._connections.save(known.offering(offer), [told])
            if saved is not None:
                self._announcements.soon(saved.id)
                log.info("key made in the vault and offered", tenant=tenant, profile=profile.value, key=offer.number)
                return offer
        raise conflict("the connection is being changed by others; ask for the certificate again")

    async def _made(self, known: Connection, caller: Caller, now: datetime) -> KeyOffer:
        number = known.keys + 1
        key = places.app_key(known.tenant, known.profile, number)
        await self._vault.transit_create_signing_key(key)
        certificate = await self._certify(key, f"Tenantkeep {known.tenant} {known.profile}", self._life)
        return KeyOffer(number, certificate, now, caller.subject)

    async def _stands(self, known: Connection, offer: KeyOffer, now: datetime) -> bool:
        """Half of its life must be left: a certificate that was forgotten is no good start. A lost vault has no key."""
        if end_of(offer.certificate) - now <= self._life / 2:
            return False
        return await self._vault.transit_has_key(places.app_key(known.tenant, known.profile, offer.number))
