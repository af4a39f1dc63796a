"""One run of a sync: a pure value and its transitions, each with the events that tell it.

A run is one unit of work, so each event of the family is told of the run and of its one job: health counts jobs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from contracts.employees import SyncCounts
from contracts.errors import ErrorClass
from contracts.events import (
    Counts,
    Event,
    JobEvent,
    JobFailed,
    JobHeld,
    JobPartial,
    JobProgressed,
    JobQueued,
    JobStarted,
    JobSucceeded,
)
from contracts.names import HoldReason, JobKind, JobState, SyncKind

SCHEDULE = "schedule"
ONBOARDING = "onboarding"
"""Who asked for a run that nobody asked for."""


@dataclass(frozen=True)
class Run:
    """`by` asked for it (a source, `schedule`, `onboarding`) with the request `causation`; `person` may say who there.

    `due_at` is when somebody looks at it next: a worker that is alive moves it on; None when it is finished.
    """

    tenant: str
    id: str
    kind: SyncKind
    requested_at: datetime
    by: str
    causation: str = ""
    person: str = ""
    users: tuple[str, ...] = ()
    version: int = 0
    state: JobState = JobState.WAITING
    session: str = ""
    attempt: int = 0
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    hold: HoldReason | None = None
    error: ErrorClass | None = None
    detail: str = ""
    counts: SyncCounts = field(default_factory=SyncCounts)
    warnings: tuple[str, ...] = ()

    @property
    def author(self) -> str:
        """Who changes made by this run are laid to."""
        return f"{self.by}/{self.person}" if self.person else self.by


Step = tuple[Run, tuple[Event, ...]]
"""A run after a transition, and what to tell."""


def queued(run: Run, now: datetime) -> Step:
    after = replace(run, due_at=now)
    return after, tuple(_told(JobQueued, after, now))


def claimed(run: Run, session: str, now: datetime, lease: timedelta) -> Step:
    """A worker has it for `lease`. It stays held until it gets on: who looks whether it can tells nobody."""
    after = replace(
        run,
        state=JobState.RUNNING,
        session=session,
        started_at=run.started_at or now,
        due_at=now + lease,
    )
    return after, tuple(_told(JobStarted, after, now)) if run.started_at is None else ()


def went_on(run: Run, counts: SyncCounts, now: datetime, lease: timedelta) -> Step:
    """A page is done; what it was held for is there."""
    after = replace(run, counts=run.counts + counts, due_at=now + lease, attempt=0, hold=None, detail="")
    return after, tuple(_told(JobStarted, after, now)) if run.hold is not None else ()


def progressed(run: Run, phase: str, now: datetime) -> tuple[Event, ...]:
    """How far it has come. How many users there are in all is known only where they are named."""
    expected = len(run.users) if run.kind.names_users else None
    return tuple(_told(JobProgressed, replace(run, version=run.version - 1), now, phase=phase, expected=expected))


def held(run: Run, reason: HoldReason, detail: str, now: datetime, due_at: datetime) -> Step:
    """It waits for something outside, and burns no attempt."""
    after = replace(run, state=JobState.WAITING, session="", hold=reason, detail=detail, due_at=due_at)
    told = run.hold is not reason
    return after, tuple(_told(JobHeld, after, now, reason=reason, detail=detail)) if told else ()


def put_back(run: Run, due_at: datetime, *, failed: bool, detail: str = "") -> Run:
    """Somebody tries again later; `failed` spends an attempt, because of `detail`."""
    after = replace(run, state=JobState.WAITING, session="", due_at=due_at)
    return replace(after, attempt=run.attempt + 1, hold=None, detail=detail) if failed else after


def failed(run: Run, error: ErrorClass, detail: str, now: datetime) -> Step:
    after = _ended(replace(run, error=error, detail=detail), JobState.FAILED, now)
    return after, tuple(_told(JobFailed, after, now, error=error, detail=detail, duration=_duration(after)))


def finished(run: Run, warnings: tuple[str, ...], now: datetime) -> Step:
    """It went through. Users that were named and not found make it partial; without any other it failed."""
    counts = run.counts
    if counts.not_found and counts.not_found >= counts.listed:
        return failed(run, ErrorClass.NOT_FOUND, "no user with these object ids in Microsoft 365", now)
    state = JobState.PARTIAL if counts.not_found else JobState.SUCCEEDED
    after = _ended(replace(run, warnings=warnings), state, now)
    if state is JobState.PARTIAL:
        errors = {ErrorClass.NOT_FOUND: counts.not_found}
        return after, tuple(_told(JobPartial, after, now, errors=errors, duration=_duration(after)))
    return after, tuple(_told(JobSucceeded, after, now, duration=_duration(after)))


def _ended(run: Run, state: JobState, now: datetime) -> Run:
    return replace(run, state=state, finished_at=now, due_at=None, session="", hold=None)


def _duration(run: Run) -> float:
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return (run.finished_at - run.started_at).total_seconds()


def _told(event: type[JobEvent], run: Run, now: datetime, **more: Any) -> Iterator[Event]:
    """The event of the run and of its job; the version is the one the run will be saved with."""
    for scope in ("run", "job"):
        yield event(
            tenant=run.tenant,
            at=now,
            scope=scope,
            id=run.id,
            run=run.id,
            kind=JobKind.SYNC,
            version=run.version + 1,
            attempt=run.attempt,
            counts=_counts(run.counts),
            requested_by=run.by,
            causation=run.causation,
            **more,
        )


def _counts(counts: SyncCounts) -> Counts:
    return Counts(
        listed=counts.listed,
        stored=counts.created + counts.updated + counts.restored,
        unchanged=counts.unchanged,
        removed=counts.deactivated,
        failed=counts.not_found,
        skipped=counts.without_mail + counts.guests,
        requests=counts.requests,
    )
