"""Streams and durable consumers, as data. Only the bootstrap command creates them; services bind to what exists."""

from dataclasses import dataclass, field
from typing import Literal

from contracts import subjects
from contracts.names import JobKind

_DAY = 86_400.0
_MIB = 1 << 20


@dataclass(frozen=True)
class Stream:
    """A JetStream stream; durations in seconds, sizes in bytes, 0 = unlimited.

    `max_msg_size` stays well below the server's 1 MiB: a dead letter has more headers than the message it keeps.
    """

    name: str
    subjects: tuple[str, ...]
    retention: Literal["limits", "workqueue"] = "limits"
    max_age: float = 0
    max_bytes: int = 0
    max_msg_size: int = 0
    duplicate_window: float = 600
    compression: bool = False
    sources: tuple[tuple[str, str], ...] = ()
    """(stream, filter) pairs this stream copies from."""


@dataclass(frozen=True)
class Durable:
    """A pull consumer with explicit acks. Its name is fixed: scalers and dashboards key on it."""

    name: str
    stream: Stream
    filter: str
    ack_wait: float = 30
    max_ack_pending: int = 1000
    batch: int = field(default=1)
    """Messages a subscriber asks for at once: 1 for jobs (no prefetch), more for small events."""


_KIB = 1 << 10

EVT = Stream(
    "M365_EVT", ("m365.evt.v1.>",), max_age=7 * _DAY, max_bytes=1024 * _MIB, max_msg_size=256 * _KIB, compression=True
)
EXT = Stream("M365_EXT", ("m365.ext.v1.>",), max_age=3 * _DAY, max_bytes=256 * _MIB, max_msg_size=64 * _KIB)
JOBS = Stream(
    "M365_JOBS",
    ("m365.job.v1.>",),
    retention="workqueue",
    max_bytes=256 * _MIB,
    max_msg_size=64 * _KIB,
    duplicate_window=120,
)
DLQ = Stream("M365_DLQ", ("m365.dlq.v1.>",), max_age=30 * _DAY, max_bytes=256 * _MIB)
JOBLOG = Stream(
    "M365_JOBLOG",
    (),
    max_age=400 * _DAY,
    max_bytes=1024 * _MIB,
    compression=True,
    sources=((EVT.name, "m365.evt.v1.*.job.>"),),
)

STREAMS = (EVT, EXT, JOBS, DLQ, JOBLOG)


def taking(subject: str) -> Stream | None:
    """The stream that stores what is published to `subject`."""
    return next((stream for stream in STREAMS for own in stream.subjects if subject.startswith(own.rstrip(">"))), None)


TOKEN_REJECTED = Durable("token-rejected", EVT, subjects.event("*", "token", "rejected"))
BACKUP_REQUESTED = Durable("backup-requested", EXT, subjects.requested("*", "*", "backup"))
RESTORE_REQUESTED = Durable("restore-requested", EXT, subjects.requested("*", "*", "restore"))
VERIFY_REQUESTED = Durable("verify-requested", EXT, subjects.requested("*", "*", "verify"))
TOKEN_REFRESHED = Durable("backup-token-refreshed", EVT, subjects.event("*", "token", "refreshed"))
SYNC_REQUESTED = Durable("sync-requested", EXT, subjects.requested("*", "*", "sync"))
SYNC_TOKEN_REFRESHED = Durable("sync-token-refreshed", EVT, subjects.event("*", "token", "refreshed"))
JOBS_BACKUP = Durable("jobs-backup", JOBS, subjects.job("*", JobKind.BACKUP, "*"), ack_wait=60, max_ack_pending=256)
JOBS_RESTORE = Durable("jobs-restore", JOBS, subjects.job("*", JobKind.RESTORE, "*"), ack_wait=60, max_ack_pending=256)
JOBS_VERIFY = Durable("jobs-verify", JOBS, subjects.job("*", JobKind.VERIFY, "*"), ack_wait=60, max_ack_pending=256)
JOBS_RESTORE_DRILL = Durable(
    "jobs-restore-drill", JOBS, subjects.job("*", JobKind.RESTORE_DRILL, "*"), ack_wait=60, max_ack_pending=256
)
JOBS_MAINTAIN = Durable(
    "jobs-maintain", JOBS, subjects.job("*", JobKind.MAINTAIN, "*"), ack_wait=60, max_ack_pending=256
)
MONITOR_LEDGER = Durable("monitor-ledger", JOBLOG, "m365.evt.v1.*.job.>", batch=100)
MONITOR_AUDIT = Durable("monitor-audit", EVT, subjects.event("*", "audit", "recorded"), batch=100)

DURABLES = (
    TOKEN_REJECTED,
    BACKUP_REQUESTED,
    RESTORE_REQUESTED,
    VERIFY_REQUESTED,
    TOKEN_REFRESHED,
    SYNC_REQUESTED,
    SYNC_TOKEN_REFRESHED,
    JOBS_BACKUP,
    JOBS_RESTORE,
    JOBS_VERIFY,
    JOBS_RESTORE_DRILL,
    JOBS_MAINTAIN,
    MONITOR_LEDGER,
    MONITOR_AUDIT,
)
