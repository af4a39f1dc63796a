"""What changes a tenant's tokens or consent makes its onboarding look at the facts at once."""

import asyncio

import structlog

from token_service.ports import Announcements, Tenants
from token_service.usecases.look_at_onboarding import LookAtOnboarding

log = structlog.get_logger(__name__)


class NudgeOnboarding:
    """Announcements of connections that also ask for a look; a look that is missed is made up for by the sweep."""

    def __init__(self, announcements: Announcements, tenants: Tenants, look: LookAtOnboarding) -> None:
        self._announcements = announcements
        self._tenants = tenants
        self._look = look
        self._asked: asyncio.Queue[str] = asyncio.Queue()

    def soon(self, document_id: str) -> None:
        """Announce the connection `<tenant>/<profile>`, and look at its tenant."""
        self._announcements.soon(document_id)
        self._asked.put_nowait(document_id.partition("/")[0])

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            slug = await self._asked.get()
            try:
                await self.look(slug)
            except Exception as error:  # noqa: BLE001 - a store that is away must not end it; the sweep looks again
                log.warning("onboarding not looked at; the sweep does", tenant=slug, reason=str(error))

    async def look(self, slug: str) -> None:
        """Look at one tenant, if it is registered."""
        tenant = await self._tenants.get(slug)
        if tenant is not None:
            await self._look(tenant)
