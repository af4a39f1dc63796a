"""The register, for those who would give a tenant something new: an offboarded one takes nothing any more."""

from collections.abc import Sequence

from contracts.contacts import Contacts
from contracts.events import Event
from contracts.problem import conflict
from token_service.domain.tenant import RecoveryKey, TenantRecord
from token_service.ports import Offboardings, Tenants


class LivingTenants:
    """A `Tenants` that refuses a tenant which is being or was offboarded, so that nothing brings its keys back."""

    def __init__(self, tenants: Tenants, offboardings: Offboardings) -> None:
        self._tenants = tenants
        self._offboardings = offboardings

    async def add(self, tenant: TenantRecord, events: Sequence[Event] = ()) -> None:
        await self._tenants.add(tenant, events)

    async def get(self, slug: str) -> TenantRecord | None:
        """Raises ProblemError: conflict."""
        record = await self._offboardings.get(slug)
        if record is not None and record.ends_the_tenant:
            raise conflict(f"{slug} is being or was offboarded; its name is never given to another tenant")
        return await self._tenants.get(slug)

    async def set_recovery_key(self, slug: str, key: RecoveryKey, events: Sequence[Event] = ()) -> None:
        await self._tenants.set_recovery_key(slug, key, events)

    async def set_contacts(self, slug: str, contacts: Contacts, events: Sequence[Event] = ()) -> None:
        await self._tenants.set_contacts(slug, contacts, events)

    async def page(self, after: str | None, limit: int) -> Sequence[TenantRecord]:
        return await self._tenants.page(after, limit)
