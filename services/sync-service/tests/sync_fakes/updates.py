"""Profile updates and erasures in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.events import Event
from sync_fakes.stores import Fuse, lasts
from sync_service.domain.erasure import Erasure
from sync_service.domain.profile_update import ProfileUpdate


class MemoryProfileUpdates:
    """Implements ports.updates.ProfileUpdates; `fuse` as in MemoryEmployees."""

    def __init__(self, fuse: Fuse = lasts) -> None:
        self.stored: dict[tuple[str, str], ProfileUpdate] = {}
        self.fuse = fuse

    async def get(self, tenant: str, employee: str) -> ProfileUpdate | None:
        return self.stored.get((tenant, employee))

    async def save(self, update: ProfileUpdate) -> ProfileUpdate | None:
        self.fuse(f"update {update.step}")
        key = (update.tenant, update.employee)
        if (self.stored[key].version if key in self.stored else 0) != update.version:
            return None
        self.stored[key] = replace(update, version=update.version + 1)
        saved = self.stored[key]
        self.fuse(f"update {update.step} saved")
        return saved

    async def due(self, now: datetime, limit: int) -> Sequence[ProfileUpdate]:
        return [one for one in self.stored.values() if one.due_at is not None and one.due_at <= now][:limit]

    async def forget(self, tenant: str, employee: str) -> None:
        self.stored.pop((tenant, employee), None)


class MemoryErasures:
    """Implements ports.erasures.Erasures."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Erasure] = {}
        self.events: list[Event] = []

    async def add(self, erasure: Erasure, events: Sequence[Event]) -> Erasure:
        self.stored[erasure.tenant, erasure.id] = erasure
        self.events += events
        return erasure

    async def bring_back(self, erasure: Erasure) -> None:
        self.stored.setdefault((erasure.tenant, erasure.id), erasure)

    async def note(self, erasure: Erasure) -> None:
        self.stored[erasure.tenant, erasure.id] = erasure

    async def page(self, tenant: str, after: str | None, limit: int) -> Sequence[Erasure]:
        mine = sorted((one for one in self.stored.values() if one.tenant == tenant), key=lambda one: one.id)[::-1]
        return [one for one in mine if after is None or one.id < after][:limit]

    async def due(self, now: datetime, limit: int) -> Sequence[Erasure]:
        return [one for one in self.stored.values() if one.due_at is not None and one.due_at <= now][:limit]
