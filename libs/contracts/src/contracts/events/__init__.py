"""Events: facts in the past tense, and requests. One module per owner; `EVENTS` lists every one."""

from contracts.events.audit import AuditRecorded
from contracts.events.backup import BackupChunkStored, BackupRequested, RestoreRequested, VerifyRequested
from contracts.events.base import Event, Request
from contracts.events.employees import (
    EmployeeDeactivated,
    EmployeeErased,
    EmployeeImported,
    EmployeeLastAdminRemoved,
    EmployeeRoleChanged,
    EmployeeUpdated,
)
from contracts.events.jobs import (
    JOB_EVENTS,
    AnyJobEvent,
    Counts,
    JobEvent,
    JobFailed,
    JobHeld,
    JobPartial,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobSucceeded,
    JobWakeUp,
    SourceCounts,
    parse_job_event,
)
from contracts.events.requests import RequestRejected
from contracts.events.reviews import ReviewDue, ReviewOverdue
from contracts.events.security import IncidentOpened
from contracts.events.sync import SyncRequested
from contracts.events.tenants import OnboardingChanged
from contracts.events.tokens import ConsentChanged, CredentialExpiring, PermissionDrift, TokenRefreshed, TokenRejected

EVENTS: tuple[type[Event], ...] = (
    AuditRecorded,
    ReviewDue,
    ReviewOverdue,
    TokenRefreshed,
    TokenRejected,
    ConsentChanged,
    CredentialExpiring,
    IncidentOpened,
    OnboardingChanged,
    PermissionDrift,
    BackupChunkStored,
    *JOB_EVENTS,
    RequestRejected,
    EmployeeImported,
    EmployeeUpdated,
    EmployeeRoleChanged,
    EmployeeDeactivated,
    EmployeeErased,
    EmployeeLastAdminRemoved,
    SyncRequested,
    BackupRequested,
    RestoreRequested,
    VerifyRequested,
)

__all__ = [
    "EVENTS",
    "JOB_EVENTS",
    "AnyJobEvent",
    "AuditRecorded",
    "BackupChunkStored",
    "BackupRequested",
    "ConsentChanged",
    "Counts",
    "CredentialExpiring",
    "EmployeeDeactivated",
    "EmployeeErased",
    "EmployeeImported",
    "EmployeeLastAdminRemoved",
    "EmployeeRoleChanged",
    "EmployeeUpdated",
    "Event",
    "IncidentOpened",
    "JobEvent",
    "JobFailed",
    "JobHeld",
    "JobPartial",
    "JobProgressed",
    "JobQueued",
    "JobStarted",
    "JobSucceeded",
    "JobWakeUp",
    "OnboardingChanged",
    "PermissionDrift",
    "Request",
    "RequestRejected",
    "RestoreRequested",
    "ReviewDue",
    "ReviewOverdue",
    "SourceCounts",
    "SyncRequested",
    "TokenRefreshed",
    "TokenRejected",
    "VerifyRequested",
    "parse_job_event",
]
