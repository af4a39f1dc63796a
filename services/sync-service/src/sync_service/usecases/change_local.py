"""Change what is kept of an employee here alone."""

from dataclasses import replace

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.employee_changes import LocalChange, refused
from contracts.employees import LocalFields, SyncSettings
from contracts.problem import conflict, not_found
from sync_service.domain.employee import Author, Employee, edited
from sync_service.domain.local_change import changed
from sync_service.domain.refusals import ChangeRefused
from sync_service.ports import Employees, Standings

ORIGIN = "local"
_ATTEMPTS = 5


class ChangeLocal:
    def __init__(self, employees: Employees, standings: Standings, clock: Clock) -> None:
        self._employees = employees
        self._standings = standings
        self._clock = clock

    async def __call__(self, tenant: str, user: str, change: LocalChange, caller: Caller) -> Employee:
        """Give the employee afterwards. Raises ProblemError with every field that is wrong."""
        for _ in range(_ATTEMPTS):
            employee = await self._employees.get(tenant, user)
            if employee is None:
                raise not_found("employee")
            if change.version is not None and employee.version != change.version:
                break
            if (saved := await self._save(employee, await self._after(employee, change), caller)) is not None:
                return saved
        raise conflict("the employee was changed meanwhile: look at it again, and change what is there now")

    async def _after(self, employee: Employee, change: LocalChange) -> LocalFields:
        standing = await self._standings.get(employee.tenant)
        settings = SyncSettings() if standing is None else standing.settings
        try:
            return changed(employee.local, await self.offered(employee), change, settings)
        except ChangeRefused as error:
            raise refused(error.refusal, error.faults) from error

    async def offered(self, employee: Employee) -> LocalFields | None:
        """Give what the predecessor had, while it may be taken over."""
        if not employee.offer_open or employee.predecessor is None:
            return None
        predecessor = await self._employees.get(employee.tenant, employee.predecessor)
        return None if predecessor is None else predecessor.local

    async def _save(self, employee: Employee, after: LocalFields, caller: Caller) -> Employee | None:
        """None when somebody was faster."""
        now = self._clock.now()
        change = edited(employee, after, author=Author(caller.subject, ORIGIN), now=now)
        if change is None:
            return employee
        audit = recorded(
            AuditAction.EMPLOYEE_CHANGE_LOCAL,
            employee.id,
            tenant=employee.tenant,
            caller=caller,
            at=now,
            after={"fields": sorted(entry.field for entry in change.entries)},
        )
        lost = await self._employees.save([replace(change, events=(*change.events, audit))])
        return None if lost else change.employee
