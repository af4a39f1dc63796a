"""What other services know of a tenant and the repositories keep, asked over the bus."""

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.ids import derived
from contracts import rpc
from contracts.audit_chain import AuditHead
from contracts.caller import Caller
from contracts.documents import TenantDocuments
from contracts.operations.audit import AUDIT_HEAD


class BusRegistrations:
    """Implements ports.Registrations."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def __call__(self, tenant: str) -> TenantDocuments:
        return await self._bus.ask(rpc.DOCUMENTS_EXPORT, tenant, rpc.Nothing(), _ourselves(tenant, self._clock))


class BusAuditHeads:
    """Implements ports.AuditHeads."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def __call__(self, tenant: str) -> AuditHead:
        return await self._bus.ask(AUDIT_HEAD, tenant, rpc.Nothing(), _ourselves(tenant, self._clock))


def _ourselves(tenant: str, clock: Clock) -> Caller:
    return Caller("backup-service", (), derived(tenant, "documents-export", clock.now().isoformat()))
