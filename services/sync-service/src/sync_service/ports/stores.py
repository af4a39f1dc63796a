"""Where employees, runs and standings are kept. Every write is a compare-and-set; events are saved with their cause."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.employees import Activity
from contracts.events import Event
from contracts.names import DirectoryState, Role
from sync_service.domain.employee import Change, Employee
from sync_service.domain.runs import Run
from sync_service.domain.standing import Numbers, Standing


@dataclass(frozen=True)
class EmployeeFilter:
    """Everything given must hold. `unsynced_since`: present, and its own last sync was before."""

    begins: str = ""
    role: Role | None = None
    directory_state: DirectoryState | None = None
    unsynced_since: datetime | None = None
    synced_since: datetime | None = None
    gdpr_exempt: bool | None = None


class Employees(Protocol):
    """Records and their activity log. Every look-up names the tenant."""

    async def get(self, tenant: str, user: str) -> Employee | None: ...

    async def some(self, tenant: str, users: Collection[str]) -> Mapping[str, Employee]:
        """Give those of these users that have a record, by object id."""
        ...

    async def save(self, changes: Sequence[Change]) -> frozenset[str]:
        """Store each change unless its record is at another version; give the ids of those that were not stored.

        What was stored is in the activity log and on the bus when this returns, or will be after a crash: once.
        """
        ...

    async def seen(self, tenant: str, users: Collection[str], read_at: datetime) -> None:
        """Note that these records equalled Microsoft 365 when it was asked at `read_at`."""
        ...

    async def unseen(self, tenant: str, before: datetime, limit: int) -> Sequence[Employee]:
        """Give some who are present and were last known to equal Microsoft 365 before this."""
        ...

    async def elevated(self, tenant: str) -> Sequence[Employee]:
        """Give all who have a role beyond User."""
        ...

    async def unlinked(self, tenant: str, after: str | None, limit: int) -> Sequence[Employee]:
        """Give deleted ones with a mail address and no successor, in the order of their ids behind `after`."""
        ...

    async def with_mail(self, tenant: str, mails: Collection[str]) -> Sequence[Employee]:
        """Give all who are present with one of these addresses, in lower case."""
        ...

    async def page(self, tenant: str, wanted: EmployeeFilter, after: str | None, limit: int) -> Sequence[Employee]:
        """Give up to `limit` behind the id `after`, in the order of their ids."""
        ...

    async def numbers(self, tenant: str) -> Numbers:
        """Count all; of a large tenant this takes seconds."""
        ...

    async def unsynced(self, tenant: str, since: datetime) -> int:
        """Count who is present and was last known to equal Microsoft 365 before this."""
        ...

    async def activity(self, tenant: str, user: str | None, after: str | None, limit: int) -> Sequence[Activity]:
        """Give up to `limit` entries, newest first, older than the entry `after`."""
        ...

    async def relog(self, tenant: str, entries: Sequence[Activity]) -> int:
        """Put back entries of the log that were lost; gives how many, none of those that are there.

        They come back under other ids: theirs are given again by records that begin anew.
        """
        ...

    async def erase(self, tenant: str, user: str, known_before: datetime) -> int:
        """Remove the record and its entries of the activity log; gives how many entries.

        A record that was imported after `known_before` is of somebody who came back: it stays, with its entries.
        """
        ...

    async def settle(self) -> int:
        """Log and publish what crashed savers left behind; gives for how many records."""
        ...


class Runs(Protocol):
    async def add(self, run: Run, events: Sequence[Event]) -> Run:
        """Store a new run; when its id is known already, give that one and store nothing."""
        ...

    async def get(self, tenant: str, run: str) -> Run | None: ...

    async def save(self, run: Run, events: Sequence[Event] = ()) -> Run | None:
        """Store with its events and give it with its new version; None when somebody was faster."""
        ...

    async def show(self, events: Sequence[Event]) -> None:
        """Tell how far a run has come. What is lost is not told again: the next mark replaces it."""
        ...

    async def page(self, tenant: str, after: str | None, limit: int) -> Sequence[Run]:
        """Give up to `limit`, newest first, older than the run `after`."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Run]:
        """Give some whose `due_at` has come."""
        ...

    async def running(self, tenant: str, now: datetime) -> Sequence[Run]:
        """Give the runs of this tenant that live workers have."""
        ...

    async def held(self, tenant: str) -> Sequence[Run]:
        """Give those that wait for something outside."""
        ...


class Standings(Protocol):
    async def get(self, tenant: str) -> Standing | None: ...

    async def save(self, standing: Standing, events: Sequence[Event] = ()) -> Standing | None:
        """Store with its events and give it with its new version; None when somebody was faster."""
        ...

    async def everything(self) -> Sequence[Standing]:
        """Give those of all tenants."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[Standing]:
        """Give some whose next run is due."""
        ...
