"""The recovery key of a tenant: its public half, for those who wrap data keys to it."""

import structlog

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.problem import invalid, not_found, unavailable
from token_service.domain import places
from token_service.domain.tenant import RecoveryKey, TenantRecord, check_recovery_key
from token_service.ports import Tenants

log = structlog.get_logger(__name__)


class KeepRecoveryKey:
    """Vault first, then the register: who reads the register finds the vault at least as new."""

    def __init__(self, tenants: Tenants, vault: Vault, clock: Clock) -> None:
        self._tenants = tenants
        self._vault = vault
        self._clock = clock

    async def __call__(self, slug: str, public_key: str, caller: Caller) -> TenantRecord:
        """Make it the tenant's recovery key; repeating it changes nothing.

        Raises ProblemError: not found, invalid, unavailable.
        """
        tenant = await self._tenants.get(slug)
        if tenant is None:
            raise not_found("tenant")
        try:
            check_recovery_key(public_key)
        except ValueError as error:
            raise invalid("this recovery key protects nothing; make a new one") from error
        await self.place(slug, public_key)
        if tenant.recovery_key is not None and tenant.recovery_key.public_key == public_key:
            return tenant
        key = RecoveryKey(public_key, self._clock.now())
        told = recorded(
            AuditAction.TENANT_SET_RECOVERY_KEY,
            slug,
            tenant=slug,
            caller=caller,
            at=key.since,
            before=None if tenant.recovery_key is None else {"fingerprint": tenant.recovery_key.fingerprint},
            after={"fingerprint": key.fingerprint},
        )
        await self._tenants.set_recovery_key(slug, key, [told])
        log.info("recovery key set", tenant=slug, fingerprint=key.fingerprint)
        return await self._tenants.get(slug) or tenant

    async def place(self, slug: str, public_key: str) -> None:
        """Put it where backup-service reads it, unless it is there."""
        path, wanted = places.recovery_key(slug), {"public_key": public_key}
        try:
            found = await self._vault.kv_read(path)
            if found is None or found[0] != wanted:
                await self._vault.kv_write(path, wanted)
        except VaultError as error:
            raise unavailable("the vault did not take the recovery key; try again shortly") from error
