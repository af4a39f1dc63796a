"""Employees and syncs of a scripted gateway, for the tests of the command line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from contracts.api import EmployeeExport
from contracts.employees import (
    Activity,
    Employee,
    LocalFields,
    SyncCounts,
    SynchronisedFields,
    SyncOverview,
    SyncRun,
    SyncSettings,
)
from contracts.names import JobState, Role, SyncKind
from contracts.operations.employees import Candidate, Erasure, ProfileUpdate
from contracts.problem import Problem

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
ANNA = "0f0f3c52-7a55-4d0a-8a64-51f2b1f3c9d7"


def employee(name: str = "anna", identity: str = ANNA, **fields: Any) -> Employee:
    known = {"display_name": name.title(), "primary_mail": f"{name}@contoso.com", "business_phones": ("+49 1",)}
    given = {"roles": (Role.USER, Role.HR), "local": LocalFields(employee_type="employee"), **fields}
    return Employee(
        tenant="contoso",
        id=identity,
        version=4,
        fields=SynchronisedFields(**known),
        imported_at=NOW,
        synced_at=NOW,
        **given,
    )


@dataclass
class People:
    """What a test arranges: `unfinished` updates before one is done; `runs`, the looks at a sync, the last repeats."""

    employees: list[Employee] = field(default_factory=lambda: [employee()])
    unfinished: int = 0
    activity: list[Activity] = field(default_factory=list)
    runs: list[SyncRun] = field(default_factory=list)
    settings: SyncSettings = field(default_factory=SyncSettings)

    def found(self, request: Request) -> list[Employee]:
        begin = request.query_params.get("q", "")
        return [one for one in self.employees if (one.fields.primary_mail or "").startswith(begin)]

    def one(self, request: Request) -> Any:
        identity = request.path_params["employee"]
        missing = Problem(code="not-found", status=404, title="employee not found")
        return next((one for one in self.employees if one.id == identity), missing)

    def updated(self, request: Request) -> Any:
        self.unfinished -= 1
        return ProfileUpdate(finished=self.unfinished < 0, employee=self.one(request))

    def erased(self, gateway: Any) -> Erasure:
        reason = gateway.bodies[-1][1]["reason"] if gateway.bodies else "asked for"
        return Erasure(tenant="contoso", employee=ANNA, erased_at=NOW, erased_by="admin", reason=reason, activities=7)


def answers(gateway: Any) -> dict[str, Callable[[Request], Any]]:
    """An answer for each route about employees and syncs; what `gateway.people` holds may be replaced at any time."""
    page = gateway._page
    candidate = Candidate(id=ANNA, display_name="Carl", user_principal_name="c@x", primary_mail="carl@contoso.com")

    def people() -> People:
        found: People = gateway.people
        return found

    def exported(request: Request) -> EmployeeExport:
        return EmployeeExport(employee=people().one(request), activity=tuple(people().activity))

    def overview(_request: Request) -> SyncOverview:
        given = {"present": 12, "stale": 3, "last_sync_at": NOW, "roles": {Role.ADMIN: 1}}
        return SyncOverview(tenant="contoso", settings=people().settings, **given)

    return {
        "list_employees": lambda r: page(r, people().found(r)),
        "get_employee": lambda r: people().one(r),
        "change_employee_profile": lambda r: people().updated(r),
        "change_employee_local_fields": lambda r: people().one(r),
        "list_import_candidates": lambda r: page(r, [candidate] * 3),
        "import_employee": lambda r: people().one(r),
        "list_employee_activity": lambda r: page(r, people().activity),
        "list_activity": lambda r: page(r, people().activity),
        "export_employee": exported,
        "erase_employee": lambda _: people().erased(gateway),
        "list_erasures": lambda r: page(r, [people().erased(gateway)]),
        "get_sync_overview": overview,
        "set_sync_settings": lambda _: people().settings,
        "start_sync": lambda _: sync_run(JobState.WAITING),
        "list_syncs": lambda r: page(r, people().runs),
        "get_sync": lambda _: people().runs.pop(0) if len(people().runs) > 1 else people().runs[0],
    }


def sync_run(state: JobState, **fields: Any) -> SyncRun:
    given = {"counts": SyncCounts(listed=12, created=2), **fields}
    return SyncRun(
        tenant="contoso",
        id="sync-1",
        kind=SyncKind.INCREMENTAL,
        state=state,
        requested_at=NOW,
        requested_by="anna",
        **given,
    )
