"""Show employees, their history and where syncs stand."""

from datetime import datetime, timedelta

from chassis.clock import Clock
from contracts import employees as views
from contracts.operations.directory import ActivityOf, EmployeesOf
from contracts.problem import not_found
from contracts.views import Listing
from sync_service.domain.employee import Employee
from sync_service.domain.runs import Run
from sync_service.domain.standing import Standing
from sync_service.ports import EmployeeFilter, Employees, Runs, Standings


class ReadDirectory:
    """`stale_after` is how long an employee counts as known to equal Microsoft 365."""

    def __init__(
        self, employees: Employees, runs: Runs, standings: Standings, clock: Clock, *, stale_after: timedelta
    ) -> None:
        self._employees = employees
        self._runs = runs
        self._standings = standings
        self._clock = clock
        self._stale_after = stale_after

    async def employees(self, tenant: str, wanted: EmployeesOf) -> Listing[views.Employee]:
        covered = (await self._standing(tenant)).last_sync_at
        narrow = self._filter(wanted, covered)
        if narrow is None:
            return Listing[views.Employee](items=())
        found = await self._employees.page(tenant, narrow, wanted.cursor, wanted.limit + 1)
        shown = tuple(self._view(record, covered) for record in found[: wanted.limit])
        return Listing[views.Employee](items=shown, cursor=shown[-1].id if len(found) > wanted.limit else None)

    async def employee(self, tenant: str, user: str) -> views.Employee:
        """One record; with it the local fields that its predecessor offers. Raises ProblemError."""
        record = await self._employees.get(tenant, user)
        if record is None:
            raise not_found("employee")
        view = self._view(record, (await self._standing(tenant)).last_sync_at)
        if not record.offer_open or record.predecessor is None:
            return view
        predecessor = await self._employees.get(tenant, record.predecessor)
        return view.model_copy(update={"offered": None if predecessor is None else predecessor.local})

    async def activity(self, tenant: str, wanted: ActivityOf) -> Listing[views.Activity]:
        found = await self._employees.activity(tenant, wanted.employee, wanted.cursor, wanted.limit + 1)
        shown = tuple(found[: wanted.limit])
        return Listing[views.Activity](items=shown, cursor=shown[-1].id if len(found) > wanted.limit else None)

    async def run(self, tenant: str, run: str) -> views.SyncRun:
        found = await self._runs.get(tenant, run)
        if found is None:
            raise not_found("sync")
        return run_view(found)

    async def runs(self, tenant: str, cursor: str | None, limit: int) -> Listing[views.SyncRun]:
        found = await self._runs.page(tenant, cursor, limit + 1)
        shown = tuple(run_view(run) for run in found[:limit])
        return Listing[views.SyncRun](items=shown, cursor=shown[-1].id if len(found) > limit else None)

    async def overview(self, tenant: str) -> views.SyncOverview:
        standing, now = await self._standing(tenant), self._clock.now()
        numbers, covered = standing.numbers, self._is_covered(standing.last_sync_at)
        running = [run for run in await self._runs.running(tenant, now) if not run.kind.names_users]
        return views.SyncOverview(
            tenant=tenant,
            settings=standing.settings,
            last_sync_at=standing.last_sync_at,
            next_sync_at=standing.next_at,
            present=numbers.present,
            deleted=numbers.deleted,
            stale=0 if covered else await self._employees.unsynced(tenant, now - self._stale_after),
            roles=dict(numbers.roles),
            role_groups=dict(standing.role_groups),
            running=running[0].id if running else None,
        )

    async def _standing(self, tenant: str) -> Standing:
        return await self._standings.get(tenant) or Standing(tenant)

    def _filter(self, wanted: EmployeesOf, covered: datetime | None) -> EmployeeFilter | None:
        """What the store is asked for; None when nobody can be meant."""
        before = self._clock.now() - self._stale_after
        narrow = EmployeeFilter(wanted.q, wanted.role, wanted.directory_state, gdpr_exempt=wanted.gdpr_exempt)
        if wanted.stale is None or (wanted.stale is False and self._is_covered(covered)):
            return narrow
        if wanted.stale and self._is_covered(covered):
            return None
        if wanted.stale:
            return EmployeeFilter(**{**vars(narrow), "unsynced_since": before})
        return EmployeeFilter(**{**vars(narrow), "synced_since": before})

    def _is_covered(self, covered: datetime | None) -> bool:
        """True while the last sync of all speaks for everybody."""
        return covered is not None and covered >= self._clock.now() - self._stale_after

    def _view(self, record: Employee, covered: datetime | None) -> views.Employee:
        synced_at = record.synced_at
        if covered is not None and record.present:
            synced_at = max(synced_at, covered)
        return views.Employee(
            tenant=record.tenant,
            id=record.id,
            version=record.version,
            fields=record.fields,
            local=record.local,
            roles=record.roles,
            directory_state=record.directory_state,
            imported_at=record.imported_at,
            synced_at=synced_at,
            stale=record.is_stale(covered, self._clock.now() - self._stale_after),
            deleted_at=record.deleted_at,
            predecessor=record.predecessor,
            successor=record.successor,
        )


def run_view(run: Run) -> views.SyncRun:
    return views.SyncRun(
        tenant=run.tenant,
        id=run.id,
        kind=run.kind,
        state=run.state,
        requested_at=run.requested_at,
        requested_by=run.author,
        started_at=run.started_at,
        finished_at=run.finished_at,
        hold=run.hold,
        error=run.error,
        detail=run.detail,
        counts=run.counts,
        warnings=run.warnings,
    )
