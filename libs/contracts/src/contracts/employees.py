"""Employees: what is the same in Microsoft 365 and here, what is here alone, and how they are shown."""

from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.errors import ErrorClass
from contracts.names import DirectoryState, HoldReason, JobState, Role, Slug, SyncKind, Token
from contracts.views import View

GroupPattern = Annotated[str, StringConstraints(pattern=r"^[^{}]*(\{tenant\}[^{}]*)?\{role\}[^{}]*$", max_length=200)]
"""The display name of a role's group; {role} stands for Admin, HR or Accounting, {tenant} for the tenant's slug."""

DEFAULT_GROUP_PATTERN = "KlarKonform-{tenant}-{role}"
DEFAULT_EVERY_HOURS = 6
DEFAULT_EMPLOYEE_TYPES = ("employee", "freelancer", "trainee", "temporary", "external")
DEFAULT_EMPLOYEE_STATUSES = ("active", "on leave", "left")

Choice = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Choices = Annotated[tuple[Choice, ...], Field(min_length=1, max_length=50)]


class SynchronisedFields(BaseModel):
    """What Microsoft 365 decides. None: it has no value there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    primary_mail: str | None = None
    job_title: str | None = None
    department: str | None = None
    mobile_number: str | None = None
    business_phones: tuple[str, ...] = ()
    office_location: str | None = None
    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    preferred_language: str | None = None
    account_enabled: bool = True


class LocalFields(BaseModel):
    """What is decided here alone; no sync ever touches it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    employee_type: str | None = None
    employee_status: str | None = None
    remote_worker: bool = False
    gdpr_exempt: bool = False
    gdpr_reason: str | None = None
    entry_date: date | None = None
    exit_date: date | None = None


SYNCHRONISED = tuple(SynchronisedFields.model_fields)
LOCAL = tuple(LocalFields.model_fields)


class Employee(View):
    """One record per Entra object id.

    `synced_at` says when it was last known to equal Microsoft 365; `stale` is true when that is too long ago.
    """

    tenant: Slug
    id: Token = Field(description="Entra object id")
    version: int
    fields: SynchronisedFields
    local: LocalFields
    roles: tuple[Role, ...] = ()
    directory_state: DirectoryState = DirectoryState.PRESENT
    imported_at: AwareDatetime
    synced_at: AwareDatetime
    stale: bool = False
    deleted_at: AwareDatetime | None = None
    predecessor: Token | None = Field(default=None, description="deleted user who had the same mail address")
    successor: Token | None = Field(default=None, description="user created anew with the same mail address")
    offered: LocalFields | None = Field(
        default=None, description="local fields of the predecessor, until they are taken over or anything is set here"
    )


class Activity(View):
    """One change of an employee. Values are JSON; `field` is empty when the record as such came, went or returned."""

    id: Token
    employee: Token
    version: int
    action: str = Field(description="imported, updated, deactivated, restored, linked or role-changed, …")
    field: str = ""
    old: Any = None
    new: Any = None
    by: str = Field(description="who: a person's subject, or the source that asked")
    origin: str = Field(description="what: sync, import, profile, local or erasure")
    at: AwareDatetime


class SyncCounts(BaseModel):
    """What a sync did. `listed` users were looked at; changes of nobody are counted twice."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    listed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deactivated: int = 0
    restored: int = 0
    role_changes: int = 0
    without_mail: int = 0
    guests: int = 0
    not_found: int = 0
    requests: int = 0

    def __add__(self, other: "SyncCounts") -> "SyncCounts":
        mine, theirs = self.model_dump(), other.model_dump()
        return SyncCounts(**{name: mine[name] + theirs[name] for name in mine})


class SyncRun(View):
    tenant: Slug
    id: Token
    kind: SyncKind
    state: JobState
    requested_at: AwareDatetime
    requested_by: str
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    hold: HoldReason | None = None
    error: ErrorClass | None = None
    detail: str = ""
    counts: SyncCounts = SyncCounts()
    warnings: tuple[str, ...] = Field(default=(), description="codes, such as ambiguous_group_admin")


class SyncSettings(View):
    """How a tenant is synchronised, and what may be chosen for local fields."""

    every_hours: int | None = Field(
        default=DEFAULT_EVERY_HOURS, ge=1, le=168, description="null: only when asked; employees become stale then"
    )
    group_pattern: GroupPattern = DEFAULT_GROUP_PATTERN
    guests: bool = Field(default=False, description="whether guests are imported")
    employee_types: Choices = DEFAULT_EMPLOYEE_TYPES
    employee_statuses: Choices = DEFAULT_EMPLOYEE_STATUSES


class SyncOverview(View):
    """Where the directory of a tenant stands. `stale` of `present` employees were not synchronised in time."""

    tenant: Slug
    settings: SyncSettings
    last_sync_at: AwareDatetime | None = None
    next_sync_at: AwareDatetime | None = None
    present: int = 0
    deleted: int = 0
    stale: int = 0
    roles: dict[Role, int] = Field(default_factory=dict)
    role_groups: dict[Role, str] = Field(default_factory=dict, description="Entra object ids of the groups found")
    running: Token | None = None
