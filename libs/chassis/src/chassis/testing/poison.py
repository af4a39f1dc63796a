"""Messages that no service can read, one of every kind for every durable: for tests, on a bus of theirs alone."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from contracts import subjects
from contracts.envelope import headers
from contracts.events import (
    AnyJobEvent,
    AuditRecorded,
    BackupRequested,
    Event,
    JobQueued,
    JobWakeUp,
    RestoreRequested,
    SyncRequested,
    TokenRefreshed,
    TokenRejected,
    VerifyRequested,
)
from contracts.names import JobKind

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_PRINT = "0" * 16

Message = tuple[str, bytes, dict[str, str]]
"""Subject, payload, headers."""


@dataclass(frozen=True)
class Case:
    """A durable, what its service reads from it, and a good message of `tenant`."""

    tenant: str
    model: type[BaseModel]
    good: BaseModel
    subject: str


def cases(tenant: str = "contoso", source: str = "crm") -> dict[str, Case]:
    """One case per durable, by its name; requests come from `source`."""
    always: dict[str, Any] = {"tenant": tenant, "at": NOW}
    requests = {
        "backup-requested": BackupRequested(**always, request="r", configuration="c"),
        "restore-requested": RestoreRequested(
            **always, request="r", restore_point="p", target_user="u@contoso.example"
        ),
        "sync-requested": SyncRequested(**always, request="r"),
        "verify-requested": VerifyRequested(**always, request="r", target="t", kind="restore-drill"),
    }
    rejected = TokenRejected(**always, profile="directory", fingerprint=_PRINT)
    refreshed = TokenRefreshed(**always, profile="directory", generation=1, fingerprint=_PRINT, expires_at=NOW)
    changed = AuditRecorded(**always, action="run.start", object="r", actor="anna")
    queued = JobQueued(**always, scope="job", id="j", run="r", kind=JobKind.BACKUP, version=1)
    return {
        **{name: Case(tenant, type(good), good, good.requested_by(source)) for name, good in requests.items()},
        "token-rejected": Case(tenant, TokenRejected, rejected, rejected.subject()),
        "backup-token-refreshed": Case(tenant, TokenRefreshed, refreshed, refreshed.subject()),
        "sync-token-refreshed": Case(tenant, TokenRefreshed, refreshed, refreshed.subject()),
        "monitor-audit": Case(tenant, AuditRecorded, changed, changed.subject()),
        "monitor-ledger": Case(tenant, AnyJobEvent, queued, queued.subject()),
        **{f"jobs-{kind}": _wake_up(tenant, kind) for kind in JobKind if kind is not JobKind.SYNC},
    }


def _wake_up(tenant: str, kind: JobKind) -> Case:
    good = JobWakeUp(tenant=tenant, job="j", kind=kind, message="j-1")
    return Case(tenant, JobWakeUp, good, subjects.job(tenant, kind, "j"))


def poisons(case: Case) -> dict[str, Message]:
    """Each kind of poison, refused for its own reason only; a work queue takes them all, as one message per job."""
    good = case.good.model_dump_json().encode()
    ours = headers(case.good, "crm") if isinstance(case.good, Event) else {}
    ours = {name: value for name, value in ours.items() if name != "Nats-Msg-Id"}
    elsewhere = case.subject.replace(f".{case.tenant}.", ".fabrikam.")
    found = {
        "not JSON": (case.subject, b"\xff\xfe not json", ours),
        "wrong schema": (
            case.subject,
            b'{"tenant":"%s","surprise":"\\r\\nNats-Rollup: all"}' % case.tenant.encode(),
            ours,
        ),
        "no object": (case.subject, b"[1, 2]", ours),
        "brackets without end": (case.subject, b"[" * 60_000, ours),
        "empty": (case.subject, b"", ours),
        "wrong tenant": (elsewhere, good, ours),
        "tenant that is no name": (case.subject.replace(f".{case.tenant}.", ".b\u00f6se$."), good, ours),
    }
    if ours:
        unknown = ours | {"ce-type": ours["ce-type"].replace(".v1", ".v9")}
        structured = json.dumps({"specversion": "1.0", "id": "1", "source": "crm", "type": "x", "data": "[" * 50_000})
        nested = b'{"specversion":"1.0","data":' + b"[" * 50_000
        cloud = {"content-type": "application/cloudevents+json"}
        found |= {
            "unknown version": (case.subject, good, unknown),
            "no envelope": (case.subject, good, {}),
            "structured, data is text": (case.subject, structured.encode(), cloud),
            "structured, without end": (case.subject, nested, cloud),
        }
    if case.model is JobWakeUp:
        return {kind: (f"{subject}-{n}", body, head) for n, (kind, (subject, body, head)) in enumerate(found.items())}
    return found
