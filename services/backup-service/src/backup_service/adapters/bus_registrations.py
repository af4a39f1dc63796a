"""What other services know of a tenant and the repositories keep, asked over the bus."""

from collections.abc import AsyncIterator

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.ids import derived
from contracts import rpc
from contracts.audit_chain import AuditHead
from contracts.caller import Caller
from contracts.documents import TenantDocuments
from contracts.employees import Activity
from contracts.operations import kept_directory
from contracts.operations.audit import AUDIT_HEAD
from contracts.operations.base import Operation, Page, Req, Res
from contracts.operations.directory import ACTIVITY_LIST, ActivityOf
from contracts.operations.employees import ERASURE_LIST, Erasure
from contracts.operations.kept_directory import BringBack, BroughtBack, KeptDirectory, KeptOf

_PAGE = 100
"""Entries of one answer: the longest ones, too, have to fit into a message."""


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


class BusEmployees:
    """Implements ports.custody.EmployeeDirectory."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def page(self, tenant: str, after: str | None) -> KeptDirectory:
        return await self._ask(kept_directory.DIRECTORY_EXPORT, tenant, KeptOf(cursor=after))

    async def erasures(self, tenant: str) -> AsyncIterator[Erasure]:
        cursor = None
        while True:
            listed = await self._ask(ERASURE_LIST, tenant, Page(cursor=cursor, limit=_PAGE))
            for erasure in listed.items:
                yield erasure
            if (cursor := listed.cursor) is None:
                return

    async def activity(self, tenant: str) -> AsyncIterator[Activity]:
        cursor = None
        while True:
            listed = await self._ask(ACTIVITY_LIST, tenant, ActivityOf(cursor=cursor, limit=_PAGE))
            for entry in listed.items:
                yield entry
            if (cursor := listed.cursor) is None:
                return

    async def bring_back(self, tenant: str, part: BringBack) -> BroughtBack:
        return await self._ask(kept_directory.DIRECTORY_BRING_BACK, tenant, part)

    async def _ask(self, operation: Operation[Req, Res], tenant: str, question: Req) -> Res:
        return await self._bus.ask(operation, tenant, question, _ourselves(tenant, self._clock))


def _ourselves(tenant: str, clock: Clock) -> Caller:
    return Caller("backup-service", (), derived(tenant, "documents-export", clock.now().isoformat()))
