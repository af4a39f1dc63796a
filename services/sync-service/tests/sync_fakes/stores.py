"""What MongoDB keeps, in memory; the suite in tests/contract/test_stores.py holds for both.

`fuse` is asked before and after every write, so that a test may let the process die there.
"""

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.employees import Activity
from contracts.events import Event
from contracts.names import JobState, Role
from sync_service.domain.employee import Change, Employee
from sync_service.domain.keeping import apart
from sync_service.domain.roles import GROUP_ROLES
from sync_service.domain.runs import Run
from sync_service.domain.standing import Numbers, Standing
from sync_service.ports import EmployeeFilter

Fuse = Callable[[str], None]


def lasts(_step: str) -> None:
    """Nothing happens."""


class MemoryEmployees:
    """Implements ports.Employees. What is saved is logged and told at once: a document and what waits in it are one."""

    def __init__(self, fuse: Fuse = lasts) -> None:
        self.records: dict[tuple[str, str], Employee] = {}
        self.log: dict[tuple[str, str], Activity] = {}
        self.events: list[Event] = []
        self.fuse = fuse
        self.writes = 0

    async def get(self, tenant: str, user: str) -> Employee | None:
        return self.records.get((tenant, user))

    async def some(self, tenant: str, users: Collection[str]) -> Mapping[str, Employee]:
        return {user: self.records[tenant, user] for user in users if (tenant, user) in self.records}

    async def save(self, changes: Sequence[Change]) -> frozenset[str]:
        lost = set()
        for change in changes:
            self.fuse("employee")
            after = change.employee
            known = self.records.get((after.tenant, after.id))
            if (known.version if known else 0) != after.version - 1:
                lost.add(after.id)
                continue
            self.records[after.tenant, after.id] = after
            self.log |= {(after.tenant, entry.id): entry for entry in change.entries}
            self.events += change.events
            self.writes += 1
        self.fuse("employees saved")
        return frozenset(lost)

    async def seen(self, tenant: str, users: Collection[str], read_at: datetime) -> None:
        self.fuse("seen")
        for user, record in (await self.some(tenant, users)).items():
            if record.synced_at < read_at:
                self.records[tenant, user] = replace(record, synced_at=read_at)

    async def unseen(self, tenant: str, before: datetime, limit: int) -> Sequence[Employee]:
        return [one for one in self._of(tenant) if one.present and one.synced_at < before][:limit]

    async def elevated(self, tenant: str) -> Sequence[Employee]:
        return [one for one in self._of(tenant) if GROUP_ROLES.keys() & set(one.roles)]

    async def unlinked(self, tenant: str, after: str | None, limit: int) -> Sequence[Employee]:
        wanted = [one for one in self._of(tenant) if not one.present and one.successor is None and one.mail]
        return [one for one in wanted if one.id > (after or "")][:limit]

    async def with_mail(self, tenant: str, mails: Collection[str]) -> Sequence[Employee]:
        return [one for one in self._of(tenant) if one.present and one.mail in mails]

    async def page(self, tenant: str, wanted: EmployeeFilter, after: str | None, limit: int) -> Sequence[Employee]:
        found = [one for one in self._of(tenant) if one.id > (after or "") and _meets(one, wanted)]
        return found[:limit]

    async def numbers(self, tenant: str) -> Numbers:
        everybody = self._of(tenant)
        present = sum(one.present for one in everybody)
        return Numbers(
            present=present,
            deleted=len(everybody) - present,
            admins=sum(Role.ADMIN in one.roles and one.fields.account_enabled for one in everybody),
            roles={role: sum(role in one.roles for one in everybody) for role in Role if role is not Role.OPERATOR},
        )

    async def unsynced(self, tenant: str, since: datetime) -> int:
        return sum(one.present and one.synced_at < since for one in self._of(tenant))

    async def activity(self, tenant: str, user: str | None, after: str | None, limit: int) -> Sequence[Activity]:
        own = [entry for (of, _), entry in self.log.items() if of == tenant and user in {None, entry.employee}]
        ordered = sorted(own, key=_order, reverse=True)
        if after is not None:
            last = self.log.get((tenant, after))
            ordered = [entry for entry in ordered if last is not None and _order(entry) < _order(last)]
        return ordered[:limit]

    async def relog(self, tenant: str, entries: Sequence[Activity]) -> int:
        before = len(self.log)
        for entry in entries:
            taken = self.log.get((tenant, entry.id))
            if taken is None or taken.at != entry.at:
                back = apart(entry)
                self.log.setdefault((tenant, back.id), back)
        return len(self.log) - before

    async def erase(self, tenant: str, user: str, known_before: datetime) -> int:
        self.fuse("erase")
        record = self.records.get((tenant, user))
        again = record is not None and record.imported_at > known_before
        if record is not None and not again:
            del self.records[tenant, user]
        gone = [
            (of, identity)
            for (of, identity), entry in self.log.items()
            if of == tenant and entry.employee == user and not (again and record and entry.at >= record.imported_at)
        ]
        for each in gone:
            del self.log[each]
        self.fuse("erased")
        return len(gone)

    async def settle(self) -> int:
        return 0

    def _of(self, tenant: str) -> list[Employee]:
        return sorted((one for (of, _), one in self.records.items() if of == tenant), key=lambda one: one.id)


def _order(entry: Activity) -> tuple[datetime, str]:
    return (entry.at, entry.id)


def _meets(one: Employee, wanted: EmployeeFilter) -> bool:
    fields = one.fields
    names = (fields.display_name, fields.first_name, fields.last_name, fields.primary_mail)
    return (
        any((name or "").lower().startswith(wanted.begins.lower()) for name in names)
        and (wanted.role is None or wanted.role in one.roles)
        and (wanted.directory_state is None or wanted.directory_state is one.directory_state)
        and (wanted.gdpr_exempt is None or wanted.gdpr_exempt is one.local.gdpr_exempt)
        and (wanted.unsynced_since is None or (one.present and one.synced_at < wanted.unsynced_since))
        and (wanted.synced_since is None or one.synced_at >= wanted.synced_since)
    )


class MemoryRuns:
    """Implements ports.Runs."""

    def __init__(self, fuse: Fuse = lasts) -> None:
        self.runs: dict[tuple[str, str], Run] = {}
        self.events: list[Event] = []
        self.fuse = fuse

    async def add(self, run: Run, events: Sequence[Event]) -> Run:
        self.fuse("run added")
        known = self.runs.get((run.tenant, run.id))
        if known is not None:
            return known
        self.runs[run.tenant, run.id] = replace(run, version=1)
        self.events += events
        return self.runs[run.tenant, run.id]

    async def get(self, tenant: str, run: str) -> Run | None:
        return self.runs.get((tenant, run))

    async def save(self, run: Run, events: Sequence[Event] = ()) -> Run | None:
        self.fuse("run")
        known = self.runs.get((run.tenant, run.id))
        if known is None or known.version != run.version:
            return None
        saved = replace(run, version=run.version + 1)
        self.runs[run.tenant, run.id] = saved
        self.events += events
        self.fuse("run saved")
        return saved

    async def show(self, events: Sequence[Event]) -> None:
        self.events += events

    async def page(self, tenant: str, after: str | None, limit: int) -> Sequence[Run]:
        def order(run: Run) -> tuple[datetime, str]:
            return (run.requested_at, run.id)

        ordered = sorted((run for run in self.runs.values() if run.tenant == tenant), key=order, reverse=True)
        if after is not None:
            last = self.runs.get((tenant, after))
            ordered = [run for run in ordered if last is not None and order(run) < order(last)]
        return ordered[:limit]

    async def due(self, now: datetime, limit: int) -> Sequence[Run]:
        return [run for run in self.runs.values() if run.due_at is not None and run.due_at <= now][:limit]

    async def running(self, tenant: str, now: datetime) -> Sequence[Run]:
        own = [run for run in self.runs.values() if run.tenant == tenant and run.state is JobState.RUNNING]
        return [run for run in own if run.due_at is not None and run.due_at > now]

    async def held(self, tenant: str) -> Sequence[Run]:
        own = [run for run in self.runs.values() if run.tenant == tenant and run.state is JobState.WAITING]
        return [run for run in own if run.hold is not None]


class MemoryStandings:
    """Implements ports.Standings."""

    def __init__(self, fuse: Fuse = lasts) -> None:
        self.standings: dict[str, Standing] = {}
        self.events: list[Event] = []
        self.fuse = fuse

    async def get(self, tenant: str) -> Standing | None:
        return self.standings.get(tenant)

    async def save(self, standing: Standing, events: Sequence[Event] = ()) -> Standing | None:
        self.fuse("standing")
        known = self.standings.get(standing.tenant)
        if (known.version if known else 0) != standing.version:
            return None
        saved = replace(standing, version=standing.version + 1)
        if standing.version == 0:
            saved = replace(saved, life=saved.life or uuid.uuid4().hex)
        self.standings[standing.tenant] = saved
        self.events += events
        self.fuse("standing saved")
        return saved

    async def everything(self) -> Sequence[Standing]:
        return list(self.standings.values())

    async def due(self, now: datetime, limit: int) -> Sequence[Standing]:
        found = [one for one in self.standings.values() if one.next_at is not None and one.next_at <= now]
        return found[:limit]
