"""Questions to sync-service: employees, their history, and syncs."""

from typing import Any

from pydantic import Field

from contracts.employees import Activity, Choices, Employee, GroupPattern, SyncOverview, SyncRun, SyncSettings
from contracts.names import DirectoryState, Role, SyncKind, Token
from contracts.operations.base import ById, Nothing, Operation, Page, Question
from contracts.views import Listing

MOST_USERS = 500
"""Users one request may name."""


class EmployeesOf(Page):
    """Everything given must hold; in the order of the object ids."""

    q: str = Field(default="", max_length=200, description="begin of name or mail address, whatever the case")
    role: Role | None = None
    directory_state: DirectoryState | None = None
    stale: bool | None = None
    gdpr_exempt: bool | None = None


class ActivityOf(Page):
    """Newest first; of one employee, or of all."""

    employee: Token | None = None


class StartSync(Question):
    """`request` makes it idempotent: the same one is the same run."""

    request: Token
    kind: SyncKind = SyncKind.INCREMENTAL
    users: tuple[Token, ...] = Field(default=(), max_length=MOST_USERS)


class ChangeSyncSettings(Question):
    """What is None stays as it is; `every_hours` 0 takes the schedule away."""

    every_hours: int | None = Field(default=None, ge=0, le=168)
    group_pattern: GroupPattern | None = None
    guests: bool | None = None
    employee_types: Choices | None = None
    employee_statuses: Choices | None = None


EMPLOYEE_LIST = Operation("sync-service", "employee.list", EmployeesOf, Listing[Employee])
EMPLOYEE_GET = Operation("sync-service", "employee.get", ById, Employee)
ACTIVITY_LIST = Operation("sync-service", "activity.list", ActivityOf, Listing[Activity])
SYNC_START = Operation("sync-service", "sync.start", StartSync, SyncRun)
SYNC_LIST = Operation("sync-service", "sync.list", Page, Listing[SyncRun])
SYNC_GET = Operation("sync-service", "sync.get", ById, SyncRun)
SYNC_OVERVIEW = Operation("sync-service", "sync.overview", Nothing, SyncOverview)
SYNC_SETTINGS_SET = Operation("sync-service", "sync-settings.set", ChangeSyncSettings, SyncSettings)

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    EMPLOYEE_LIST,
    EMPLOYEE_GET,
    ACTIVITY_LIST,
    SYNC_START,
    SYNC_LIST,
    SYNC_GET,
    SYNC_OVERVIEW,
    SYNC_SETTINGS_SET,
)
