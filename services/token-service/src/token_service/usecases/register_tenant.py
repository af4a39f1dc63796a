"""Register a tenant: bind slug and Entra tenant id for ever, and give it its keys."""

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts import rpc
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.problem import conflict, unavailable
from token_service.domain import places
from token_service.domain.tenant import TenantRecord
from token_service.ports import EntraTenantTaken, SlugTaken, Tenants
from token_service.usecases.adopt_credentials import AdoptCredentials
from token_service.usecases.keep_recovery_key import KeepRecoveryKey

log = structlog.get_logger(__name__)


class RegisterTenant:
    def __init__(
        self,
        tenants: Tenants,
        vault: Vault,
        clock: Clock,
        *,
        keep_recovery_key: KeepRecoveryKey,
        adopt_credentials: AdoptCredentials,
    ) -> None:
        self._tenants = tenants
        self._vault = vault
        self._keep_recovery_key = keep_recovery_key
        self._adopt_credentials = adopt_credentials
        self._clock = clock

    async def __call__(self, wish: rpc.RegisterTenant, caller: Caller) -> TenantRecord:
        """Register, or give the tenant that was registered by the same question before.

        The transit key comes first: a crash leaves a key nobody uses, never a tenant without a key. Repeating the
        question puts back what a vault that was lost no longer holds; what documents that were lost no longer say is
        taken up from the vault. Raises ProblemError: conflict, unavailable.
        """
        known = await self._tenants.get(wish.tenant)
        if known is not None:
            _refuse_other(known, wish)
        try:
            await self._vault.transit_create_key(places.transit_key(wish.tenant))
        except VaultError as error:
            raise unavailable("the vault did not create the tenant's key; try again shortly") from error
        tenant = known or await self._added(wish, caller)
        await self._adopt_credentials(tenant.slug, caller)
        if wish.recovery_key is not None:
            return await self._keep_recovery_key(tenant.slug, wish.recovery_key, caller)
        if tenant.recovery_key is not None:
            await self._keep_recovery_key.place(tenant.slug, tenant.recovery_key.public_key)
        return tenant

    async def _added(self, wish: rpc.RegisterTenant, caller: Caller) -> TenantRecord:
        tenant = TenantRecord(
            wish.tenant, wish.entra_tenant_id, wish.display_name, wish.support_contact, self._clock.now()
        )
        told = recorded(
            AuditAction.TENANT_REGISTER,
            tenant.slug,
            tenant=tenant.slug,
            caller=caller,
            at=tenant.created_at,
            after=wish,
            leave_out=("recovery_key", "support_contact", "contacts"),
        )
        try:
            await self._tenants.add(tenant, [told])
        except EntraTenantTaken as error:
            raise conflict("this Entra tenant is registered under another name already") from error
        except SlugTaken as error:
            winner = await self._tenants.get(wish.tenant)
            if winner is None:
                raise unavailable("the register changed meanwhile; try again") from error
            _refuse_other(winner, wish)
            return winner
        log.info("tenant registered", tenant=tenant.slug, entra_tenant_id=tenant.entra_tenant_id)
        return tenant


def _refuse_other(known: TenantRecord, wish: rpc.RegisterTenant) -> None:
    if known.entra_tenant_id != wish.entra_tenant_id:
        raise conflict(f"the name {wish.tenant} belongs to another Entra tenant; choose another name")
    if known.recovery_key and wish.recovery_key and known.recovery_key.public_key != wish.recovery_key:
        raise conflict("the tenant has another recovery key; replace it on purpose: tenantkeep tenant recovery-key")
