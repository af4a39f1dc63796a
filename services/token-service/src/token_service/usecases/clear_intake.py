"""Clear what was brought to the intake and never taken: its gateway died, or the vault did not answer it."""

from datetime import timedelta

import structlog

from chassis import ids
from chassis.clock import Clock
from chassis.vault import Vault, VaultDenied
from token_service.domain import places
from token_service.ports import Tenants

log = structlog.get_logger(__name__)

_PAGE = 100


class ClearIntake:
    """`life` (seconds) is how long something may wait there; looked at as often, and first of all at the start."""

    def __init__(self, tenants: Tenants, vault: Vault, clock: Clock, life: float) -> None:
        self._tenants = tenants
        self._vault = vault
        self._clock = clock
        self._life = life
        self._next = 0.0

    async def sweep(self) -> int:
        """Destroy what has waited for too long; gives how many secrets. Repeated in the next round after an error."""
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        try:
            cleared = await self._clear_all()
        except VaultDenied as error:
            # A vault whose policies are older than this: it stays so until somebody renews them.
            log.warning("the vault's policy does not let token-service look for what was left", path=error.path)
            cleared = 0
        self._next = now + self._life
        return cleared

    async def _clear_all(self) -> int:
        cleared, after = 0, None
        while page := await self._tenants.page(after, _PAGE):
            for tenant in page:
                cleared += await self._clear(tenant.slug)
            after = page[-1].slug
        return cleared

    async def _clear(self, tenant: str) -> int:
        left = [name for name in await self._vault.kv_list(places.intakes(tenant)) if self._forgotten(name)]
        for name in left:
            await self._vault.kv_delete(places.intake(tenant, name))
            log.warning("a secret that nobody took was cleared from the intake", tenant=tenant)
        return len(left)

    def _forgotten(self, name: str) -> bool:
        """The gateway names intakes by ULIDs, which show their age; anything else is not its work."""
        if not ids.is_ulid(name):
            return True
        return ids.drawn_at(name) + timedelta(seconds=self._life) < self._clock.now()
