"""Employees: updates that may take longer than an answer, and everything held about one."""

from chassis.clock import Clock
from contracts.api import EmployeeExport
from contracts.employee_changes import ProfileChange
from contracts.employees import Activity
from contracts.operations.base import ById
from contracts.operations.directory import ACTIVITY_LIST, ActivityOf
from contracts.operations.employees import (
    EMPLOYEE_CHANGE_PROFILE,
    EMPLOYEE_EXPORT,
    ChangeProfile,
    ProfileUpdate,
)
from gateway.domain import Asking
from gateway.ports import Services

PATIENCE = 20.0
"""Seconds for Microsoft 365 to show a change; then the answer says that it goes on."""
_PAUSE = 0.2
_PAGE = 200


async def change_profile(
    services: Services, tenant: str, employee: str, change: ProfileChange, *, clock: Clock, asking: Asking
) -> ProfileUpdate:
    """Change a profile and wait for its end; asking again under the same request id changes nothing more."""
    question = ChangeProfile(id=employee, request=asking.request_id, change=change)
    deadline = clock.monotonic() + PATIENCE
    while True:
        found = await services.ask(EMPLOYEE_CHANGE_PROFILE, tenant, question, asking)
        if found.finished or clock.monotonic() >= deadline:
            return found
        await clock.sleep(_PAUSE)


async def export(services: Services, tenant: str, employee: str, asking: Asking) -> EmployeeExport:
    """Collect the record and every entry of its activity log."""
    record = await services.ask(EMPLOYEE_EXPORT, tenant, ById(id=employee), asking)
    activity: list[Activity] = []
    question = ActivityOf(employee=employee, limit=_PAGE)
    while True:
        page = await services.ask(ACTIVITY_LIST, tenant, question, asking)
        activity += page.items
        if page.cursor is None:
            return EmployeeExport(employee=record, activity=tuple(activity))
        question = ActivityOf(employee=employee, limit=_PAGE, cursor=page.cursor)
