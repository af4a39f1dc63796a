"""Whom the service tells, and what it asks of backup-service."""

from datetime import datetime
from typing import Protocol

from contracts.offboarding import Holdings
from contracts.onboarding import Protection


class Announcements(Protocol):
    """Publishes events that were saved; what it misses the sweep publishes."""

    def soon(self, document_id: str) -> None:
        """Publish the pending events of a document (a connection, an onboarding) without making the caller wait."""
        ...


class Backups(Protocol):
    """backup-service, asked what onboarding depends on."""

    async def protection(self, tenant: str, ended_after: datetime | None) -> Protection | None:
        """Answer within seconds; None when there is no answer. `ended_after` as in `ProtectionOf`."""
        ...

    async def holdings(self, tenant: str, *, keys: bool) -> Holdings | None:
        """What is still held, with `keys` also what opens it; None when there is no answer."""
        ...
