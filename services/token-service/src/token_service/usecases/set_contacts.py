"""Whom a tenant names for problems and for incidents."""

import structlog

from contracts.contacts import Contacts
from contracts.problem import not_found
from token_service.domain.tenant import TenantRecord
from token_service.ports import Tenants

log = structlog.get_logger(__name__)


class SetContacts:
    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def __call__(self, slug: str, wanted: Contacts) -> TenantRecord:
        """Make these the tenant's contacts; repeating it changes nothing. Raises ProblemError: not found."""
        tenant = await self._tenants.get(slug)
        if tenant is None:
            raise not_found("tenant")
        contacts = Contacts(support=wanted.support, security=wanted.security)
        if tenant.contacts != contacts:
            await self._tenants.set_contacts(slug, contacts)
            log.info("contacts set", tenant=slug)
        return await self._tenants.get(slug) or tenant
