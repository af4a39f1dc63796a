"""Renew a token because somebody asked for it."""

import asyncio

import structlog

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import Profile
from contracts.problem import conflict, not_found
from token_service.domain.connection import Connection
from token_service.ports import Announcements, Connections
from token_service.usecases.renew_tokens import RenewTokens

log = structlog.get_logger(__name__)

_ATTEMPTS = 5


class RenewNow:
    """`patience` (seconds) bounds the answer; the renewal itself goes on without the asker."""

    def __init__(
        self,
        connections: Connections,
        renew: RenewTokens,
        announcements: Announcements,
        clock: Clock,
        patience: float = 3.5,
    ) -> None:
        self._connections = connections
        self._renew = renew
        self._announcements = announcements
        self._clock = clock
        self._patience = patience

    async def __call__(self, tenant: str, profile: Profile, caller: Caller) -> Connection:
        """Give the state after the renewal, or after waiting for it. Raises ProblemError: not found, conflict.

        Somebody who renews the same token right now does it for everybody.
        """
        for _ in range(_ATTEMPTS):
            known = await self._connections.get(tenant, profile)
            if known is None or known.client_id is None:
                raise not_found("token")
            if known.retired is not None:
                raise conflict("the token was deactivated: generate a new one")
            if known.is_claimed(self._clock.now()):
                return known
            now = self._clock.now()
            told = recorded(AuditAction.PROFILE_RENEW, profile, tenant=tenant, caller=caller, at=now)
            if await self._connections.save(known.due(now), [told]) is not None:
                self._announcements.soon(known.id)
                return await self._renewed(known)
        raise conflict("the connection is being changed by others; try again")

    async def _renewed(self, known: Connection) -> Connection:
        try:
            async with asyncio.timeout(self._patience):
                await self._renew.now(known.tenant, known.profile)
        except TimeoutError:
            log.info("renewal not finished in time", tenant=known.tenant, profile=known.profile.value)
        return await self._connections.get(known.tenant, known.profile) or known
