"""Job documents in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from backup_fakes.fuse import Fuse
from backup_service.domain.jobs import (
    Claim,
    Finished,
    HandedBack,
    Held,
    Keeping,
    Outcome,
    Retried,
    failed,
)
from backup_service.domain.restore_order import RestoreOrder
from backup_service.ports import SessionLost
from chassis.clock import Clock
from chassis.ids import new_ulid
from contracts.errors import ErrorClass
from contracts.events import Counts, JobWakeUp
from contracts.names import JobKind, JobState, Source
from contracts.views import Hold, Job

LEASE = 150.0
LADDER = (5.0, 30.0)
ATTEMPTS = 3


@dataclass
class JobRow:
    """A job document; `due_in` is seconds from the last change to the next look at it."""

    view: Job
    message: str
    configuration: str = "c1"
    order: RestoreOrder | None = None
    session: str | None = None
    delivery: int = 0
    strikes: int = 0
    version: int = 1
    due_in: float | None = None
    last_hold: Hold | None = None
    events: list[tuple[str, int]] = field(default_factory=lambda: [("queued", 1)])
    packs: list[str] = field(default_factory=list)


class MemoryJobs:
    """Implements ports.Jobs; `rows` is open to tests, by job id."""

    def __init__(self, clock: Clock, fuse: Fuse) -> None:
        self._clock = clock
        self._fuse = fuse
        self._rng = Random(11)
        self.rows: dict[str, JobRow] = {}
        self.sources: tuple[Source, ...] = (Source.MAIL,)
        """What every backup job reads of its resource."""

    def add(
        self, job: str, resource: str, *, kind: JobKind = JobKind.BACKUP, order: RestoreOrder | None = None
    ) -> JobWakeUp:
        view = Job(
            tenant="contoso",
            id=job,
            run=f"run-of-{job}",
            kind=kind,
            resource=resource,
            state=JobState.WAITING,
            queued_at=self._clock.now(),
        )
        self.rows[job] = JobRow(view, message=f"{job}-1", order=order)
        return self.wake(job)

    def wake(self, job: str) -> JobWakeUp:
        """The wake-up that is not stale."""
        row = self.rows[job]
        return JobWakeUp(tenant="contoso", job=job, kind=row.view.kind, message=row.message)

    async def claim(self, wake: JobWakeUp, delivery: int) -> Claim | None:
        self._fuse.step()
        row = self.rows.get(wake.job)
        if row is None or row.view.state.finished or row.message != wake.message or row.delivery >= delivery:
            return None
        if row.strikes >= ATTEMPTS * 2:
            self._end(row, failed(ErrorClass.INTERNAL, f"the worker died {row.strikes} times"))
            return None
        now = self._clock.now()
        claim = self._claim(row, new_ulid(self._clock, self._rng), now)
        row.session, row.delivery, row.due_in = claim.session, delivery, LEASE
        row.strikes += 1
        self._change(row, "started", state=JobState.RUNNING, started_at=claim.first_started_at, hold=None)
        self._fuse.step()
        return claim

    async def progress(self, claim: Claim, counts: Counts, phase: str) -> None:
        self._fuse.step()
        row = self._fenced(claim)
        row.due_in = LEASE
        row.view = row.view.model_copy(update={"counts": counts})
        row.events.append(("progressed", row.version))
        self._fuse.step()

    async def checkpointed(
        self, claim: Claim, number: int, packs: Sequence[tuple[str, int, str]], counts: Counts
    ) -> None:
        self._fuse.step()
        row = self._fenced(claim)
        row.due_in, row.strikes = LEASE, 0
        row.view = row.view.model_copy(update={"counts": counts})
        row.packs += [pack for pack, _, _ in packs]
        self._fuse.step()

    async def conclude(self, claim: Claim, outcome: Outcome) -> None:
        self._fuse.step()
        row = self._fenced(claim)
        match outcome:
            case Finished():
                self._end(row, outcome)
            case Held():
                before = row.last_hold
                same = before is not None and before.reason is outcome.reason
                since = before.since if before is not None and same else self._clock.now()
                row.last_hold = Hold(reason=outcome.reason, since=since, detail=outcome.detail)
                self._put_back(row, "held", outcome.recheck, hold=row.last_hold)
            case Retried():
                self._retry(row, outcome)
            case HandedBack():
                self._put_back(row, "queued", 0)
        self._fuse.step()

    def _retry(self, row: JobRow, retried: Retried) -> None:
        attempt = row.view.attempt + 1
        if attempt >= ATTEMPTS:
            self._end(row, failed(retried.error, retried.detail, row.view.counts))
        else:
            self._put_back(row, "queued", LADDER[min(attempt, len(LADDER)) - 1], attempt=attempt, hold=None)

    def _put_back(self, row: JobRow, event: str, pause: float, **facts: object) -> None:
        self._change(row, event, state=JobState.WAITING, **facts)
        row.message, row.delivery, row.strikes, row.due_in = f"{row.view.id}-{row.version}", 0, 0, pause

    def _end(self, row: JobRow, end: Finished) -> None:
        self._change(
            row,
            end.state.value,
            state=end.state,
            finished_at=self._clock.now(),
            counts=end.counts,
            restore_point=end.restore_point,
            fatal=end.fatal,
            item_errors=end.item_errors,
            skipped=end.skipped,
            check=end.check,
            maintenance=end.maintenance,
            restored=end.restored,
            hold=None,
        )
        row.due_in = None

    def _change(self, row: JobRow, event: str, **facts: object) -> None:
        row.view = row.view.model_copy(update=facts)
        row.version += 1
        row.events.append((event, row.version))

    def _fenced(self, claim: Claim) -> JobRow:
        row = self.rows.get(claim.job)
        if row is None or row.session != claim.session or row.view.state is not JobState.RUNNING:
            raise SessionLost(claim.job)
        return row

    def _claim(self, row: JobRow, session: str, now: datetime) -> Claim:
        claim = Claim(
            tenant="contoso",
            job=row.view.id,
            run=row.view.run,
            kind=row.view.kind,
            configuration=row.configuration,
            target="t1",
            keeping=Keeping("30d", "30d", "default", now),
            resource=row.view.resource,
            resource_name="anna@contoso.example",
            session=session,
            previous=row.session,
            attempt=row.view.attempt,
            first_started_at=row.view.started_at or now,
            sources=self.sources,
        )
        return replace(claim, restore=row.order)
