"""Examples of what monitor-service answers."""

from typing import Any

from contracts import subjects
from contracts.audit_chain import GENESIS, AuditHead, linked

HEALTH = {
    "tenant": "contoso",
    "kind": "backup",
    "health": "healthy",
    "failed": 1,
    "partial": 2,
    "succeeded": 97,
    "failure_ratio": 0.01,
    "partial_ratio": 0.02,
    "last_success_at": "2026-03-02T08:04:10Z",
    "reason": "",
}
DEAD_LETTER = {
    "id": "17-1772438650123456",
    "durable": "backup-requested",
    "tenant": "contoso",
    "subject": subjects.requested("crm", "contoso", "backup"),
    "reason": "unreadable: configuration: Field required",
    "deliveries": 1,
    "size": 57,
    "buried_at": "2026-03-02T08:04:10Z",
    "replayed_at": None,
    "replayed_by": None,
}
AUDIT_RECORD: dict[str, Any] = linked(
    {
        "tenant": "contoso",
        "event": "5f0c3c6e-7d6f-5bb3-9d0c-0a4f3e6f1c11",
        "at": "2026-03-02T08:04:10.000000+00:00",
        "action": "configuration.change",
        "object": "8d6f1c1e-3a52-5c0b-9a53-7c1f0c7f2a11",
        "actor": "admin@contoso.example",
        "roles": ["admin"],
        "request": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "before": {"paused": "false"},
        "after": {"paused": "true"},
    },
    AuditHead(tenant="contoso", length=0, hash=GENESIS),
)
AUDIT_SEAL = {
    "tenant": "contoso",
    "length": 1,
    "hash": AUDIT_RECORD["hash"],
    "target": "t1",
    "sealed_on": "2026-03-03",
}
REVIEW: dict[str, Any] = {
    "tenant": "contoso",
    "id": "daily-2026-03-02",
    "kind": "daily",
    "due_at": "2026-03-02T07:00:00Z",
    "overdue_at": "2026-03-03T07:00:00Z",
    "owner": "admin",
    "state": "open",
    "overdue": False,
    "checks": [
        {"subject": "job_health", "answer": "bad", "facts": {"backup": "critical: failures"}},
        {"subject": "new_errors", "answer": "good", "facts": {}},
    ],
    "completed_at": None,
    "completed_by": "",
    "note": "",
}
