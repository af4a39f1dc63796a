"""What sync-service alone knows of employees: handed out to be sealed into the repositories, and brought back."""

from pydantic import AwareDatetime, Field

from contracts.employees import Activity, LocalFields, SynchronisedFields, SyncSettings
from contracts.names import DirectoryState, Role, Token
from contracts.operations.base import Operation, Question
from contracts.operations.employees import Erasure
from contracts.views import View


class KeptEmployee(View):
    """An employee of whom more is known here than Microsoft 365 tells: local fields, a deletion, who came before."""

    id: Token
    fields: SynchronisedFields = Field(description="as they were; the next sync corrects them")
    local: LocalFields
    directory_state: DirectoryState
    imported_at: AwareDatetime
    deleted_at: AwareDatetime | None = None
    predecessor: Token | None = None
    successor: Token | None = None
    offer_open: bool = False


class KeptOf(Question):
    """One page; the cursor is the id of the employee before it."""

    cursor: Token | None = None


class KeptDirectory(View):
    """A page of employees worth keeping, and on each page what is kept of the tenant.

    `life` names the time from the first sync of a tenant until its records are lost; null while there is none yet. A
    page may hold nobody and have a cursor all the same.
    """

    life: Token | None = None
    settings: SyncSettings | None = None
    role_groups: dict[Role, str] = Field(default_factory=dict)
    employees: tuple[KeptEmployee, ...] = ()
    cursor: Token | None = None


class BringBack(Question):
    """A part of what was kept in an earlier `life`; with the last part that life is over, and never comes back again.

    Erasures come before the activity log, so that nothing of who was erased comes back. Repeating a part is harmless.
    """

    life: Token
    settings: SyncSettings | None = None
    role_groups: dict[Role, str] = Field(default_factory=dict)
    erasures: tuple[Erasure, ...] = ()
    employees: tuple[KeptEmployee, ...] = ()
    activity: tuple[Activity, ...] = ()
    last: bool = False


class BroughtBack(View):
    """How many records and entries of the log a part changed; none when they were known, or known better."""

    employees: int = 0
    activity: int = 0


DIRECTORY_EXPORT = Operation("sync-service", "directory.export", KeptOf, KeptDirectory)
DIRECTORY_BRING_BACK = Operation("sync-service", "directory.bring-back", BringBack, BroughtBack)
"""Both are asked by backup-service, which seals the answers into the repositories and reads them there (ADR 0015)."""

OPERATIONS = (DIRECTORY_EXPORT, DIRECTORY_BRING_BACK)
