"""One line of the ledger: what became of one job or run.

An entry is a function of the *set* of events seen, whatever their order: the newest version decides the state, the
earliest time says since when it exists, and every finish counts once. Late, repeated and reordered events therefore
end in the same ledger.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from contracts.errors import ErrorClass
from contracts.events import (
    Counts,
    JobEvent,
    JobFailed,
    JobHeld,
    JobPartial,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobSucceeded,
)
from contracts.events.jobs import Scope
from contracts.names import HoldReason, JobKind, JobState


class Outcome(StrEnum):
    """How a job ended. CANCELLED was a person's wish and is outside every ratio."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EntryKey(NamedTuple):
    """What an entry is about; unique in the ledger."""

    tenant: str
    scope: Scope
    id: str


class Finish(NamedTuple):
    """The end of one execution; `version` tells two ends of the same job apart."""

    version: int
    outcome: Outcome
    at: datetime


_STEPS: tuple[tuple[type[JobEvent], JobState], ...] = (
    (JobQueued, JobState.WAITING),
    (JobProgressed, JobState.RUNNING),
    (JobStarted, JobState.RUNNING),
    (JobHeld, JobState.WAITING),
    (JobSucceeded, JobState.SUCCEEDED),
    (JobPartial, JobState.PARTIAL),
    (JobFailed, JobState.FAILED),
)
"""State after each event, weakest first: progress is told without a new version, so versions can be equal."""

_RANKS = {model: (rank, state) for rank, (model, state) in enumerate(_STEPS)}

_OUTCOMES = {
    JobState.SUCCEEDED: Outcome.SUCCEEDED,
    JobState.PARTIAL: Outcome.PARTIAL,
    JobState.FAILED: Outcome.FAILED,
}


@dataclass(frozen=True)
class Entry:
    """Times are aware and in UTC, durations in seconds. `rank` orders events of one version."""

    key: EntryKey
    kind: JobKind
    run: str
    version: int
    rank: int
    state: JobState
    first_at: datetime
    changed_at: datetime
    hold: HoldReason | None = None
    error: ErrorClass | None = None
    duration: float | None = None
    configuration: str | None = None
    resource: str | None = None
    counts: Counts = field(default_factory=Counts)
    finishes: tuple[Finish, ...] = ()


def key_of(event: JobEvent) -> EntryKey:
    return EntryKey(event.tenant, event.scope, event.id)


def record(entry: Entry | None, event: JobEvent) -> Entry:
    """The entry after `event`; equal to `entry` when the event tells nothing new."""
    told = _told(event)
    if entry is None:
        return told
    newest = told if (told.version, told.rank) > (entry.version, entry.rank) else entry
    known = {finish.version for finish in entry.finishes}
    added = tuple(finish for finish in told.finishes if finish.version not in known)
    return replace(
        newest,
        first_at=min(entry.first_at, told.first_at),
        finishes=tuple(sorted(entry.finishes + added)),
    )


def _told(event: JobEvent) -> Entry:
    """What `event` alone tells."""
    rank, state = _RANKS[type(event)]
    outcome = _outcome(event, state)
    return Entry(
        key=key_of(event),
        kind=event.kind,
        run=event.run,
        version=event.version,
        rank=rank,
        state=state,
        first_at=event.at,
        changed_at=event.at,
        hold=event.reason if isinstance(event, JobHeld) else None,
        error=event.error if isinstance(event, JobFailed) else None,
        duration=event.duration if isinstance(event, JobSucceeded | JobPartial | JobFailed) else None,
        configuration=event.configuration,
        resource=event.resource,
        counts=event.counts,
        finishes=() if outcome is None else (Finish(event.version, outcome, event.at),),
    )


def _outcome(event: JobEvent, state: JobState) -> Outcome | None:
    if isinstance(event, JobFailed) and event.error is ErrorClass.CANCELLED:
        return Outcome.CANCELLED
    return _OUTCOMES.get(state)
