"""What sync-service answers about the employees of one tenant, in memory."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from contracts.employees import Activity, LocalFields, SynchronisedFields, SyncSettings
from contracts.names import DirectoryState
from contracts.operations.employees import Erasure
from contracts.operations.kept_directory import BringBack, BroughtBack, KeptDirectory, KeptEmployee
from contracts.problem import unavailable

_PAGE = 2


class DirectoryInMemory:
    """Implements ports.custody.EmployeeDirectory. `parts` are those that were handed back."""

    def __init__(self, life: str | None = None) -> None:
        self.life = life
        self.settings = SyncSettings()
        self.people: dict[str, KeptEmployee] = {}
        self.erased: list[Erasure] = []
        self.log: list[Activity] = []
        self.read: list[str] = []
        """Ids of entries of the log that were read, in order."""
        self.parts: list[BringBack] = []
        self.silent = False

    def loses_everything(self, life: str) -> None:
        self.__init__(life)  # type: ignore[misc] # begins anew

    async def page(self, tenant: str, after: str | None) -> KeptDirectory:
        if self.silent:
            raise unavailable("sync-service does not answer")
        behind = [one for identity, one in sorted(self.people.items()) if identity > (after or "")]
        shown: Sequence[KeptEmployee] = behind[:_PAGE]
        return KeptDirectory(
            life=self.life,
            settings=self.settings,
            employees=tuple(shown),
            cursor=shown[-1].id if len(behind) > _PAGE else None,
        )

    async def erasures(self, tenant: str) -> AsyncIterator[Erasure]:
        for erasure in self.erased:
            yield erasure

    async def activity(self, tenant: str) -> AsyncIterator[Activity]:
        for entry in sorted(self.log, key=lambda one: one.at, reverse=True):
            self.read.append(entry.id)
            yield entry

    async def bring_back(self, tenant: str, part: BringBack) -> BroughtBack:
        self.parts.append(part)
        return BroughtBack(employees=len(part.employees), activity=len(part.activity))


def an_employee(identity: str, at: datetime, **local: Any) -> KeptEmployee:
    return KeptEmployee(
        id=identity,
        fields=SynchronisedFields(display_name=identity),
        local=LocalFields(**local),
        directory_state=DirectoryState.PRESENT,
        imported_at=at,
    )


def an_entry(identity: str, at: datetime) -> Activity:
    return Activity(id=identity, employee="a1", version=1, action="updated", by="hr", origin="local", at=at)
