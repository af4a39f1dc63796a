"""Questions to sync-service that change one employee, or are about what is held of one."""

from typing import Any

from pydantic import AwareDatetime, Field

from contracts.employee_changes import LocalChange, ProfileChange
from contracts.employees import Employee
from contracts.names import Role, Slug, Token
from contracts.operations.base import ById, Operation, Page
from contracts.views import Listing, View


class ChangeProfile(ById):
    """The same `request` is the same update: asking again tells how it went, and changes nothing more."""

    request: Token
    change: ProfileChange


class ProfileUpdate(View):
    """An update that goes on, or is done; a refused one is a problem. `employee` is the record as it is here now."""

    finished: bool
    employee: Employee


class ChangeLocal(ById):
    change: LocalChange


class CandidatesOf(Page):
    """In the order Microsoft 365 lists them."""

    q: str = Field(default="", max_length=200, description="begin of name or address, whatever the case")
    limit: int = Field(default=50, ge=1, le=200)


class Candidate(View):
    """A user of Microsoft 365 who has no record here and may be imported."""

    id: Token = Field(description="Entra object id")
    display_name: str
    user_principal_name: str
    primary_mail: str
    job_title: str | None = None
    account_enabled: bool = True
    guest: bool = False


class EraseEmployee(ById):
    reason: str = Field(min_length=1, max_length=500)


class Erasure(View):
    """The record of an erasure: nothing of the person but the object id, which Microsoft 365 never gives out again."""

    tenant: Slug
    employee: Token
    erased_at: AwareDatetime
    erased_by: str
    reason: str
    activities: int = Field(description="entries of the activity log that were erased with the record")


class EmployeeRoles(View):
    """Roles in the tenant as Entra's groups decide them; none for who is deleted, or has no record here."""

    employee: Token
    roles: tuple[Role, ...] = ()


EMPLOYEE_CHANGE_PROFILE = Operation("sync-service", "employee.change-profile", ChangeProfile, ProfileUpdate)
EMPLOYEE_CHANGE_LOCAL = Operation("sync-service", "employee.change-local", ChangeLocal, Employee)
EMPLOYEE_CANDIDATES = Operation("sync-service", "employee.candidates", CandidatesOf, Listing[Candidate])
EMPLOYEE_IMPORT = Operation("sync-service", "employee.import", ById, Employee)
"""Also of who has a record: loads the profile and the roles anew, such as those of a stale one."""
EMPLOYEE_EXPORT = Operation("sync-service", "employee.export", ById, Employee)
"""The record, for the person it is about; that it was given out goes into the activity log."""
EMPLOYEE_ERASE = Operation("sync-service", "employee.erase", EraseEmployee, Erasure)
ERASURE_LIST = Operation("sync-service", "erasure.list", Page, Listing[Erasure])
EMPLOYEE_ROLES = Operation("sync-service", "employee.roles", ById, EmployeeRoles)

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    EMPLOYEE_CHANGE_PROFILE,
    EMPLOYEE_CHANGE_LOCAL,
    EMPLOYEE_CANDIDATES,
    EMPLOYEE_IMPORT,
    EMPLOYEE_EXPORT,
    EMPLOYEE_ERASE,
    ERASURE_LIST,
    EMPLOYEE_ROLES,
)
