"""What a person may ask of us about the data held on them: to have all of it, and to have it erased."""

from dataclasses import replace
from datetime import timedelta

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.events.employees import EmployeeErased
from contracts.problem import conflict, not_found
from sync_service.domain.employee import Author, Employee
from sync_service.domain.erasure import Erasure
from sync_service.domain.noted import noted
from sync_service.ports import Employees
from sync_service.ports.erasures import Erasures
from sync_service.ports.updates import ProfileUpdates

ORIGIN = "data-protection"
_AGAIN = timedelta(seconds=60)
"""Writes that were on their way when the record went have ended by then; what they left is erased, too."""
_DUE_AT_ONCE = 20
_ATTEMPTS = 5


class ProtectData:
    def __init__(self, employees: Employees, updates: ProfileUpdates, erasures: Erasures, clock: Clock) -> None:
        self._employees = employees
        self._updates = updates
        self._erasures = erasures
        self._clock = clock

    async def export(self, tenant: str, user: str, caller: Caller) -> Employee:
        """Give the record to hand out; that it was given out is in the activity log, and audited."""
        for _ in range(_ATTEMPTS):
            employee, now = await self._known(tenant, user), self._clock.now()
            audit = recorded(AuditAction.EMPLOYEE_EXPORT, user, tenant=tenant, caller=caller, at=now)
            author = Author(caller.subject, ORIGIN)
            change = noted(employee, "exported", author=author, now=now, events=(audit,))
            if not await self._employees.save([change]):
                return change.employee
        raise conflict("the employee is being changed; try again shortly")

    async def erase(self, tenant: str, user: str, reason: str, caller: Caller) -> Erasure:
        """Erase the record, its activity log and its updates. Raises ProblemError for who still exists there.

        The erasure is recorded first: a process that dies in between is followed by one that erases the rest.
        """
        employee, now = await self._known(tenant, user), self._clock.now()
        if employee.present:
            raise conflict(
                "Microsoft 365 still has the user, and the next sync would bring it back: delete it there first"
            )
        erasure = Erasure(tenant, user, now, caller.subject, reason, due_at=now + _AGAIN)
        told = EmployeeErased(tenant=tenant, at=now, employee=user, version=employee.version + 1)
        audit = recorded(
            AuditAction.EMPLOYEE_ERASE, user, tenant=tenant, caller=caller, at=now, after={"reason": reason}
        )
        return await self._erase(await self._erasures.add(erasure, (told, audit)))

    async def sweep(self) -> int:
        """Erase what was left behind; gives for how many people."""
        due = await self._erasures.due(self._clock.now(), _DUE_AT_ONCE)
        for erasure in due:
            await self._erase(replace(erasure, due_at=None))
        return len(due)

    async def _erase(self, erasure: Erasure) -> Erasure:
        entries = await self._employees.erase(erasure.tenant, erasure.employee, erasure.erased_at)
        await self._updates.forget(erasure.tenant, erasure.employee)
        erased = replace(erasure, activities=erasure.activities + entries)
        await self._erasures.note(erased)
        return erased

    async def _known(self, tenant: str, user: str) -> Employee:
        employee = await self._employees.get(tenant, user)
        if employee is None:
            raise not_found("employee")
        return employee
