"""Questions about the audit: its records, its head, and the heads that were sealed into the repositories."""

from pydantic import Field

from contracts.audit_chain import AuditHead, AuditRecord, AuditSeals
from contracts.operations.base import Nothing, Operation, Question
from contracts.views import Listing


class AuditRecordsOf(Question):
    """One page, newest first, or from the beginning; fewer than `limit` when they would be too much for one answer."""

    cursor: str | None = Field(
        default=None, pattern=r"^[0-9]{1,15}$", description="number of the record before the page"
    )
    limit: int = Field(default=100, ge=1, le=500)
    oldest_first: bool = False


class AuditSealsOf(Question):
    """The seals of one month in all repositories of the tenant; the cursor names the month before, 2026-11."""

    cursor: str | None = Field(default=None, pattern=r"^[0-9]{4}-[0-9]{2}$")


AUDIT_LIST = Operation("monitor-service", "audit.list", AuditRecordsOf, Listing[AuditRecord])
AUDIT_HEAD = Operation("monitor-service", "audit.head", Nothing, AuditHead)
"""Asked by backup-service as well, which seals the answer into the repositories every day (ADR 0032)."""
AUDIT_SEALS = Operation("backup-service", "audit.seals", AuditSealsOf, AuditSeals)

OPERATIONS = (AUDIT_LIST, AUDIT_HEAD, AUDIT_SEALS)
