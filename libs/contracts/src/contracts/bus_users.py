"""Bus users and what each may do: least privilege, as data.

The embedded stack and the Kubernetes manifests render it.
"""

from dataclasses import dataclass

from contracts import streams, subjects
from contracts.streams import Durable

ACCOUNT = "M365"
"""The account of our own users and of every stream. Foreign sources have accounts of their own (ADR 0020)."""


@dataclass(frozen=True)
class BusUser:
    """One NATS user. `responds` allows replies to questions it received, nothing else."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responds: bool = False

    @property
    def inbox(self) -> str:
        """Prefix of its own inboxes; nobody else may subscribe there."""
        return inbox_prefix(self.name)


def inbox_prefix(user: str) -> str:
    return f"_INBOX_{user}"


def _consume(*durables: Durable) -> tuple[str, ...]:
    """What a pull consumer needs when stream and durable exist already."""
    return tuple(
        grant
        for d in durables
        for grant in (
            f"$JS.API.CONSUMER.INFO.{d.stream.name}.{d.name}",
            f"$JS.API.CONSUMER.MSG.NEXT.{d.stream.name}.{d.name}",
            f"$JS.ACK.{d.stream.name}.{d.name}.>",
            f"m365.dlq.v1.{d.name}.>",
        )
    )


def _service(name: str, publish: tuple[str, ...], *durables: Durable, serves: bool = True) -> BusUser:
    questions = (subjects.rpc(name, "*", ">"),) if serves else ()
    return BusUser(name, publish + _consume(*durables), (f"{inbox_prefix(name)}.>", *questions), responds=serves)


_AUDIT = subjects.event("*", "audit", "recorded")
"""Whoever changes something says so."""

BOOTSTRAP = BusUser("bootstrap", ("$JS.API.>",), (f"{inbox_prefix('bootstrap')}.>",))
TOKEN_SERVICE = _service(
    "token-service",
    (
        subjects.event("*", "token", "refreshed"),
        subjects.event("*", "token", "consent-changed"),
        subjects.event("*", "token", "credential-expiring"),
        subjects.event("*", "security", "incident-opened"),
        subjects.event("*", "tenant", "onboarding-changed"),
        _AUDIT,
        subjects.rpc("backup-service", "*", "protection.get"),
        subjects.event("*", "token", "permission-drift"),
        subjects.rpc("backup-service", "*", "holdings.get"),
    ),
    streams.TOKEN_REJECTED,
)
BACKUP_SERVICE = _service(
    "backup-service",
    (
        subjects.event("*", "backup", "*"),
        subjects.event("*", "job", "*"),
        subjects.event("*", "token", "rejected"),
        subjects.event("*", "request", "rejected"),
        subjects.job("*", "*", "*"),
        subjects.rpc("token-service", "*", "documents.export"),
        subjects.rpc("monitor-service", "*", "audit.head"),
        *(
            subjects.rpc("sync-service", "*", asked)
            for asked in ("directory.export", "directory.bring-back", "activity.list", "erasure.list")
        ),
        _AUDIT,
    ),
    streams.BACKUP_REQUESTED,
    streams.RESTORE_REQUESTED,
    streams.VERIFY_REQUESTED,
    streams.TOKEN_REFRESHED,
    streams.JOBS_BACKUP,
    streams.JOBS_RESTORE,
    streams.JOBS_VERIFY,
    streams.JOBS_RESTORE_DRILL,
    streams.JOBS_MAINTAIN,
)
SYNC_SERVICE = _service(
    "sync-service",
    (
        subjects.event("*", "employee", "*"),
        subjects.event("*", "job", "*"),
        subjects.event("*", "token", "rejected"),
        subjects.event("*", "request", "rejected"),
        _AUDIT,
    ),
    streams.SYNC_REQUESTED,
    streams.SYNC_TOKEN_REFRESHED,
)
MONITOR_SERVICE = _service(
    "monitor-service",
    (
        f"$JS.API.DIRECT.GET.{streams.DLQ.name}",
        *(durable.filter for durable in streams.DURABLES),
        subjects.event("*", "review", "*"),
        subjects.rpc("token-service", "*", "token.list"),
        subjects.rpc("token-service", "*", "profile.list"),
    ),
    streams.MONITOR_LEDGER,
    streams.MONITOR_AUDIT,
)
"""Reads dead letters and replays them to where they came from, which can only be what a durable reads (ADR 0010).

What it changes itself it records like any other service: that is one of them.
"""

GATEWAY = BusUser(
    "gateway",
    ("m365.ext.v1.gateway.>", "m365.rpc.v1.>"),
    (f"{inbox_prefix('gateway')}.>", subjects.event("*", "job", ">"), subjects.event("*", "employee", "*")),
)
"""Hears in plain subscriptions the job family, to show progress, and employees, to forget roles; consumes no stream."""

BUS_USERS = (BOOTSTRAP, TOKEN_SERVICE, BACKUP_SERVICE, SYNC_SERVICE, MONITOR_SERVICE, GATEWAY)
