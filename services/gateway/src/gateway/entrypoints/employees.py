"""Employees of a tenant: what is the same in Microsoft 365 and here, what is here alone, and what is held of them."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import ConfigDict

from contracts.api import EmployeeExport, ErasureBody
from contracts.employee_changes import LocalChange, ProfileChange
from contracts.employees import Activity, Employee
from contracts.operations import directory, employees
from contracts.operations.base import ById
from contracts.views import Listing
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import Api, Asked, Creating, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery
from gateway.usecases.employees import change_profile, export

api = Api("employees")


class EmployeesQuery(directory.EmployeesOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CandidatesQuery(employees.CandidatesOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


@api.route("list_employees")
async def list_employees(
    gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[EmployeesQuery, Query()]
) -> Listing[Employee]:
    """List employees; `q` is the begin of a name or mail address."""
    return await gate.services.ask(directory.EMPLOYEE_LIST, tenant, query, asking)


@api.route("get_employee")
async def get_employee(gate: Gated, asking: Asked, tenant: Tenant, employee: Id) -> Employee:
    """Show an employee, and when it was last synchronised."""
    return await gate.services.ask(directory.EMPLOYEE_GET, tenant, ById(id=employee), asking)


@api.route(
    "change_employee_profile",
    responses={202: {"model": employees.ProfileUpdate, "description": "Not finished; ask again under the same key"}},
)
async def change_employee_profile(
    *, gate: Gated, creation: Creating, tenant: Tenant, employee: Id, body: ProfileChange, response: Response
) -> employees.ProfileUpdate:
    """Change fields of an employee in Microsoft 365, and then here.

    Microsoft 365 is changed first and read again until it shows the change; then it is saved here. Whatever fails, the
    record here stays as it was, and the problem says why. 202 and `finished` false: Microsoft 365 takes longer; a
    repeat with the same Idempotency-Key tells how it went.
    """
    update = await change_profile(
        gate.services, tenant, employee, body, clock=gate.clock, asking=creation.identified(body)
    )
    if not update.finished:
        response.status_code = 202
    return update


@api.route("change_employee_local_fields")
async def change_employee_local_fields(
    gate: Gated, asking: Asked, tenant: Tenant, employee: Id, body: LocalChange
) -> Employee:
    """Change fields that are kept here alone; Microsoft 365 is not asked."""
    question = employees.ChangeLocal(id=employee, change=body)
    return await gate.services.ask(employees.EMPLOYEE_CHANGE_LOCAL, tenant, question, asking)


@api.route("list_import_candidates")
async def list_import_candidates(
    gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[CandidatesQuery, Query()]
) -> Listing[employees.Candidate]:
    """List users of Microsoft 365 who have a mail address and no record here.

    A page may hold fewer users than asked for, even none; only a `cursor` of null is the end.
    """
    return await gate.services.ask(employees.EMPLOYEE_CANDIDATES, tenant, query, asking)


@api.route("import_employee")
async def import_employee(gate: Gated, asking: Asked, tenant: Tenant, employee: Id) -> Employee:
    """Load one user from Microsoft 365: import who has no record here, refresh who has one.

    `employee` is the Entra object id. Roles are taken from the groups, too; local fields stay as they are.
    """
    return await gate.services.ask(employees.EMPLOYEE_IMPORT, tenant, ById(id=employee), asking)


@api.route("list_employee_activity")
async def list_employee_activity(
    gate: Gated, asking: Asked, tenant: Tenant, employee: Id, page: Annotated[PageQuery, Query()]
) -> Listing[Activity]:
    """List every change of one employee, newest first: field, old, new, who, what with, when."""
    question = directory.ActivityOf(employee=employee, cursor=page.cursor, limit=page.limit)
    return await gate.services.ask(directory.ACTIVITY_LIST, tenant, question, asking)


@api.route("list_activity")
async def list_activity(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[Activity]:
    """List every change of all employees, newest first."""
    question = directory.ActivityOf(cursor=page.cursor, limit=page.limit)
    return await gate.services.ask(directory.ACTIVITY_LIST, tenant, question, asking)


@api.route("export_employee")
async def export_employee(gate: Gated, asking: Asked, tenant: Tenant, employee: Id) -> EmployeeExport:
    """Give out everything held about one employee; that it was given out is recorded."""
    return await export(gate.services, tenant, employee, asking)


@api.route("erase_employee")
async def erase_employee(
    gate: Gated, asking: Asked, tenant: Tenant, employee: Id, body: ErasureBody
) -> employees.Erasure:
    """Erase everything held about an employee whom Microsoft 365 has deleted.

    The erasure stays on record, with the object id and nothing else of the person. Who still exists in Microsoft 365 is
    refused: the next sync would bring the record back.
    """
    question = employees.EraseEmployee(id=employee, reason=body.reason)
    return await gate.services.ask(employees.EMPLOYEE_ERASE, tenant, question, asking)


@api.route("list_erasures")
async def list_erasures(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[employees.Erasure]:
    """List erasures, newest first."""
    return await gate.services.ask(employees.ERASURE_LIST, tenant, page, asking)
