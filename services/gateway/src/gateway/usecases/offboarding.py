"""Begin and cancel the offboarding of a tenant: what works for it by itself is stopped before its tokens go."""

from contracts import rpc
from contracts.offboarding import OffboardingView
from contracts.operations import offboarding
from gateway.domain import Asking
from gateway.ports import Services


async def begin(services: Services, tenant: str, asking: Asking) -> OffboardingView:
    """Stop the backups, then take the tokens out of use; repeating it goes on where it stopped."""
    await services.ask(rpc.TENANT_GET, tenant, rpc.Nothing(), asking)
    await services.ask(offboarding.PROTECTION_STOP, tenant, offboarding.StopProtection(stopped=True), asking)
    return await services.ask(offboarding.OFFBOARDING_BEGIN, tenant, rpc.Nothing(), asking)


async def cancel(services: Services, tenant: str, asking: Asking) -> OffboardingView:
    """Cancel it while that is possible, then let the storage be looked after again."""
    cancelled = await services.ask(offboarding.OFFBOARDING_CANCEL, tenant, rpc.Nothing(), asking)
    await services.ask(offboarding.PROTECTION_STOP, tenant, offboarding.StopProtection(stopped=False), asking)
    return cancelled
