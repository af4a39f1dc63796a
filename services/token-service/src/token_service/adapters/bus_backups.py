"""What backup-service knows of a tenant, asked over the bus."""

import asyncio
from datetime import datetime

import structlog

from chassis.bus import Bus
from contracts.caller import itself
from contracts.offboarding import Holdings
from contracts.onboarding import Protection
from contracts.operations import offboarding, onboarding
from contracts.operations.base import Operation, Req, Res
from contracts.problem import ProblemError

log = structlog.get_logger(__name__)

_PATIENCE = 2.0
"""Seconds; somebody may be waiting for ours, who has five."""

_READING = 4.0
"""Storage is read meanwhile."""


class BusBackups:
    """Implements ports.Backups."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def protection(self, tenant: str, ended_after: datetime | None) -> Protection | None:
        question = onboarding.ProtectionOf(ended_after=ended_after)
        return await self._ask(onboarding.PROTECTION_GET, tenant, question, _PATIENCE)

    async def holdings(self, tenant: str, *, keys: bool) -> Holdings | None:
        patience = _READING if keys else _PATIENCE
        return await self._ask(offboarding.HOLDINGS_GET, tenant, offboarding.HoldingsOf(keys=keys), patience)

    async def _ask(self, operation: Operation[Req, Res], tenant: str, question: Req, patience: float) -> Res | None:
        try:
            async with asyncio.timeout(patience):
                return await self._bus.ask(operation, tenant, question, itself("token-service"))
        except (TimeoutError, ProblemError) as error:
            log.info("backup-service gave no answer", tenant=tenant, reason=type(error).__name__)
            return None
