"""List and register tenants."""

import asyncio

from contracts import rpc
from contracts.problem import ProblemError
from contracts.views import Listing, Tenant
from gateway.domain import Asking
from gateway.ports import Services
from gateway.usecases.admission import may_register

_AT_ONCE = 20
"""Questions on the way at the same time for one listing."""


async def list_tenants(services: Services, page: rpc.Page, asking: Asking) -> Listing[Tenant]:
    """List the caller's tenants. A token with a list is answered from that list, so others are not even counted."""
    if asking.caller.covers_all():
        return await services.ask(rpc.TENANT_LIST, None, page, asking)
    after = page.cursor or ""
    mine = sorted(slug for slug in asking.caller.tenants if slug > after and asking.caller.covers(slug))
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look_up(slug: str) -> Tenant | None:
        async with turn:
            try:
                return await services.ask(rpc.TENANT_GET, slug, rpc.Nothing(), asking)
            except ProblemError as error:
                if error.problem.code == "not-found":  # in the token, but not registered
                    return None
                raise

    shown = mine[: page.limit]
    found = await asyncio.gather(*(look_up(slug) for slug in shown))
    cursor = shown[-1] if len(mine) > len(shown) else None
    return Listing[Tenant](items=tuple(tenant for tenant in found if tenant is not None), cursor=cursor)


async def register_tenant(services: Services, tenant: rpc.RegisterTenant, asking: Asking) -> Tenant:
    """Register a tenant that the token covers."""
    may_register(asking.caller, tenant.tenant)
    question = rpc.RegisterTenant.model_validate(tenant.model_dump())
    return await services.ask(rpc.TENANT_REGISTER, tenant.tenant, question, asking)
