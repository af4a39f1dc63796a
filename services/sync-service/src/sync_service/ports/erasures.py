"""Where erasures are recorded. None is ever removed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from contracts.events import Event
from sync_service.domain.erasure import Erasure


class Erasures(Protocol):
    async def add(self, erasure: Erasure, events: Sequence[Event]) -> Erasure:
        """Store a new one with its events in one write, and give it."""
        ...

    async def bring_back(self, erasure: Erasure) -> None:
        """Store one that was lost, without telling of it again; nothing happens when it is known."""
        ...

    async def note(self, erasure: Erasure) -> None:
        """Store how far a known one has come."""
        ...

    async def page(self, tenant: str, after: str | None, limit: int) -> Sequence[Erasure]:
        """Give up to `limit`, newest first, older than the one with the id `after`."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Erasure]:
        """Give some whose `due_at` has come."""
        ...
