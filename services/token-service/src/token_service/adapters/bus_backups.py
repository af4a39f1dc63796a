"""What backup-service knows of a tenant, asked over the bus."""

import asyncio
from datetime import datetime

import structlog

from chassis.bus import Bus
from contracts.caller import itself
from contracts.onboarding import Protection
from contracts.operations import onboarding
from contracts.problem import ProblemError

log = structlog.get_logger(__name__)

_PATIENCE = 2.0
"""Seconds; somebody may be waiting for ours, who has five."""


class BusBackups:
    """Implements ports.Backups."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def protection(self, tenant: str, ended_after: datetime | None) -> Protection | None:
        question = onboarding.ProtectionOf(ended_after=ended_after)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._bus.ask(onboarding.PROTECTION_GET, tenant, question, itself("token-service"))
        except (TimeoutError, ProblemError) as error:
            log.info("backup-service gave no answer", tenant=tenant, reason=type(error).__name__)
            return None
