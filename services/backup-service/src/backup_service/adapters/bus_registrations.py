"""What token-service knows of a tenant, asked over the bus."""

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.ids import derived
from contracts import rpc
from contracts.caller import Caller
from contracts.documents import TenantDocuments


class BusRegistrations:
    """Implements ports.Registrations."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def __call__(self, tenant: str) -> TenantDocuments:
        caller = Caller("backup-service", (), derived(tenant, "documents-export", self._clock.now().isoformat()))
        return await self._bus.ask(rpc.DOCUMENTS_EXPORT, tenant, rpc.Nothing(), caller)
