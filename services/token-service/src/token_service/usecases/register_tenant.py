"""Register a tenant: bind slug and Entra tenant id for ever, and give it its key."""

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts import rpc
from contracts.problem import conflict, unavailable
from token_service.domain import places
from token_service.domain.tenant import TenantRecord
from token_service.ports import EntraTenantTaken, SlugTaken, Tenants

log = structlog.get_logger(__name__)


class RegisterTenant:
    def __init__(self, tenants: Tenants, vault: Vault, clock: Clock) -> None:
        self._tenants = tenants
        self._vault = vault
        self._clock = clock

    async def __call__(self, wish: rpc.RegisterTenant) -> TenantRecord:
        """Register, or give the tenant that was registered by the same question before.

        The transit key comes first: a crash leaves a key nobody uses, never a tenant without a key.
        Raises ProblemError: conflict, unavailable.
        """
        known = await self._tenants.get(wish.tenant)
        if known is not None:
            return _same(known, wish)
        try:
            await self._vault.transit_create_key(places.transit_key(wish.tenant))
        except VaultError as error:
            raise unavailable("the vault did not create the tenant's key; try again shortly") from error
        tenant = TenantRecord(
            wish.tenant, wish.entra_tenant_id, wish.display_name, wish.support_contact, self._clock.now()
        )
        try:
            await self._tenants.add(tenant)
        except EntraTenantTaken as error:
            raise conflict("this Entra tenant is registered under another name already") from error
        except SlugTaken as error:
            winner = await self._tenants.get(wish.tenant)
            if winner is None:
                raise unavailable("the register changed meanwhile; try again") from error
            return _same(winner, wish)
        log.info("tenant registered", tenant=tenant.slug, entra_tenant_id=tenant.entra_tenant_id)
        return tenant


def _same(known: TenantRecord, wish: rpc.RegisterTenant) -> TenantRecord:
    if known.entra_tenant_id != wish.entra_tenant_id:
        raise conflict(f"the name {wish.tenant} belongs to another Entra tenant; choose another name")
    return known
