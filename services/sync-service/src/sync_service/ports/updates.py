"""Where profile updates and erasures are kept. Every write is a compare-and-set."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sync_service.domain.profile_update import ProfileUpdate


class ProfileUpdates(Protocol):
    """The last profile update of each employee; an unfinished one locks the employee's profile."""

    async def get(self, tenant: str, employee: str) -> ProfileUpdate | None: ...

    async def save(self, update: ProfileUpdate) -> ProfileUpdate | None:
        """Store and give it with its new version; None when what is stored is not at `update.version`."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[ProfileUpdate]:
        """Give some unfinished ones whose `due_at` has come."""
        ...

    async def forget(self, tenant: str, employee: str) -> None:
        """Remove what is kept of an employee."""
        ...
