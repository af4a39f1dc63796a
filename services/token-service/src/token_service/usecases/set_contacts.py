"""Whom a tenant names for problems and for incidents."""

import structlog

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.contacts import Contacts
from contracts.problem import not_found
from token_service.domain.tenant import TenantRecord
from token_service.ports import Tenants

log = structlog.get_logger(__name__)


class SetContacts:
    def __init__(self, tenants: Tenants, clock: Clock) -> None:
        self._tenants = tenants
        self._clock = clock

    async def __call__(self, slug: str, wanted: Contacts, caller: Caller) -> TenantRecord:
        """Make these the tenant's contacts; repeating it changes nothing. Raises ProblemError: not found."""
        tenant = await self._tenants.get(slug)
        if tenant is None:
            raise not_found("tenant")
        contacts = Contacts(support=wanted.support, security=wanted.security)
        if tenant.contacts != contacts:
            # Which of them, never who: names and addresses of people must not stay for ever.
            changed = [
                name for name in Contacts.model_fields if getattr(contacts, name) != getattr(tenant.contacts, name)
            ]
            told = recorded(
                AuditAction.TENANT_SET_CONTACTS,
                slug,
                tenant=slug,
                caller=caller,
                at=self._clock.now(),
                after={"changed": changed},
            )
            await self._tenants.set_contacts(slug, contacts, [told])
            log.info("contacts set", tenant=slug)
        return await self._tenants.get(slug) or tenant
