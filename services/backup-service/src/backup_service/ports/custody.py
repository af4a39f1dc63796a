"""What keeps restore points, and what keeps the documents: floors, legal holds, exports into repositories."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from contracts.audit_chain import AuditHead
from contracts.documents import TenantDocuments
from contracts.employees import Activity
from contracts.events import Event
from contracts.names import LegalHoldState
from contracts.operations.employees import Erasure
from contracts.operations.kept_directory import BringBack, BroughtBack, KeptDirectory
from contracts.views import (
    BackupConfiguration,
    FloorChange,
    LegalHold,
    Listing,
    RestorePoint,
    RetentionFloor,
    StorageTarget,
    TargetRecovery,
)


class Floors(Protocol):
    """The least retention of each tenant, as people set it."""

    async def retention_floor(self, tenant: str) -> RetentionFloor | None:
        """None when nobody ever set one."""
        ...

    async def change_retention_floor(self, tenant: str, change: FloorChange, events: Sequence[Event] = ()) -> None:
        """Put it into force; every change before stays on record."""
        ...


class LegalHolds(Protocol):
    """Legal holds as people placed and released them, and how far each has come."""

    async def add_legal_hold(self, hold: LegalHold, events: Sequence[Event] = (), *, due_at: datetime) -> None:
        """Record it, with what announces it; repeating it changes nothing and announces nothing."""
        ...

    async def legal_hold(self, tenant: str, hold: str) -> LegalHold | None: ...

    async def legal_holds(self, tenant: str, cursor: str | None, limit: int) -> Listing[LegalHold]: ...

    async def unreleased_legal_holds(self, tenant: str) -> Sequence[LegalHold]: ...

    async def due_legal_holds(self, now: datetime) -> Sequence[LegalHold]:
        """A bounded number of holds that want to be put into force or lifted now."""
        ...

    async def postpone_legal_hold(self, hold: LegalHold, due_at: datetime) -> bool:
        """Take it in hand until then; False when somebody else did, or when it moved on."""
        ...

    async def advance_legal_hold(
        self,
        hold: LegalHold,
        state: LegalHoldState,
        changes: Mapping[str, Any],
        events: Sequence[Event] = (),
        *,
        due_at: datetime | None,
    ) -> None:
        """Move it from the state `hold` shows; nothing happens when it moved on meanwhile."""


class KeptDocuments(Protocol):
    """What each repository keeps of the documents: which target is due, and what comes back."""

    async def claim(self, lease: timedelta) -> StorageTarget | None:
        """Take one target that is due; it is due again after `lease` unless `kept` says later. None: nothing is."""
        ...

    async def kept(self, target: StorageTarget, at: datetime, due_at: datetime) -> None:
        """Its repository holds, since `at`, what only documents knew; look again at `due_at`."""
        ...

    async def ask_recovery(self, tenant: str, target: str, events: Sequence[Event] = ()) -> StorageTarget | None:
        """Have documents brought back from it as soon as possible; None when there is no such target."""
        ...

    async def recovered(self, target: StorageTarget, recovery: TargetRecovery) -> None: ...

    async def configurations_of(self, target: StorageTarget) -> Sequence[BackupConfiguration]: ...

    async def bring_back(self, configuration: BackupConfiguration) -> None:
        """Create it as it was; of one that exists only the target changes."""
        ...

    async def relist(self, points: Sequence[RestorePoint]) -> None:
        """Make restore points known that are not; what is known of the others stays."""
        ...


class AuditHeads(Protocol):
    """Where the audit chain of a tenant ends now."""

    async def __call__(self, tenant: str) -> AuditHead:
        """Raises ProblemError, also when monitor-service does not answer."""
        ...


class EmployeeDirectory(Protocol):
    """What sync-service knows of a tenant's employees. All of it raises ProblemError, also when nobody answers."""

    async def page(self, tenant: str, after: str | None) -> KeptDirectory:
        """Give employees worth keeping, in the order of their ids behind `after`."""
        ...

    def erasures(self, tenant: str) -> AsyncIterator[Erasure]:
        """Give who was erased, the latest first."""
        ...

    def activity(self, tenant: str) -> AsyncIterator[Activity]:
        """Give the activity log, the latest entry first."""
        ...

    async def bring_back(self, tenant: str, part: BringBack) -> BroughtBack:
        """Hand back a part of what was kept."""
        ...


class Registrations(Protocol):
    """What token-service knows of a tenant and nothing else tells."""

    async def __call__(self, tenant: str) -> TenantDocuments:
        """Raises ProblemError, also when token-service does not answer."""
        ...
