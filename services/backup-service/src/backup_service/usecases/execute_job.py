"""What a wake-up leads to: claim, execute, judge, conclude.

A failed job is a state and an event, never an exception.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from backup_engine.errors import SessionFenced
from backup_service.domain.jobs import Claim, Finished, HandedBack, Outcome, Retried
from backup_service.ports import Jobs, Judge, SessionLost
from chassis.delivered import Delivered
from contracts.events import JobWakeUp
from contracts.names import JobKind

log = structlog.get_logger()

Execute = Callable[[Claim], Awaitable[Finished]]
Settle = Callable[[str, str], Awaitable[bool]]
Admit = Callable[[str, JobKind], Awaitable[int]]


class ExecuteJob:
    """Returns normally whatever becomes of the job; raises only when the bus or the documents are away."""

    def __init__(
        self,
        jobs: Jobs,
        kinds: Mapping[JobKind, Execute],
        *,
        judge: Judge,
        settle: Settle,
        stopping: asyncio.Event,
        admit: Admit | None = None,
    ) -> None:
        self._jobs = jobs
        self._kinds = kinds
        self._judge = judge
        self._settle = settle
        self._stopping = stopping
        self._admit = admit

    async def __call__(self, wake: Delivered[JobWakeUp]) -> None:
        claim = await self._jobs.claim(wake.body, wake.delivery)
        if claim is None:
            log.info("stale wake-up dropped", job=wake.body.job)
            return
        with structlog.contextvars.bound_contextvars(tenant=claim.tenant, job=claim.job, session=claim.session):
            log.info("job starts", kind=claim.kind, resource=claim.resource, takes_over=claim.previous)
            await self._next(claim)
            try:
                outcome = await self._outcome(claim)
                await self._jobs.conclude(claim, outcome)
            except (SessionLost, SessionFenced):
                log.warning("job was taken over by another worker; stopping here")
                return
            log.info("job ends", outcome=type(outcome).__name__, state=getattr(outcome, "state", "waiting"))
            await self._next(claim)
            if isinstance(outcome, Finished | Retried):
                # An error may have spent the last attempt; settling a run that goes on changes nothing.
                await self._settle(claim.tenant, claim.run)

    async def _next(self, claim: Claim) -> None:
        """Let the tenant's next job come at once; the planner's sweep would, a little later."""
        if self._admit is None:
            return
        try:
            await self._admit(claim.tenant, claim.kind)
        except Exception as error:  # noqa: BLE001 - nothing may keep a claimed job from its work
            log.info("the planner admits the next job", reason=type(error).__name__)

    async def _outcome(self, claim: Claim) -> Outcome:
        try:
            return await self._until_stopping(claim)
        except (SessionLost, SessionFenced, asyncio.CancelledError):
            raise
        except ExceptionGroup as group:
            # Mails are fetched side by side; the first error speaks for all of them.
            lost = group.subgroup((SessionLost, SessionFenced))
            if lost is not None:
                raise _first(lost) from group
            return self._judge(_first(group))
        except Exception as error:  # noqa: BLE001 - the boundary of a job: whatever happens becomes its outcome
            return self._judge(error)

    async def _until_stopping(self, claim: Claim) -> Outcome:
        """Execute the job; when the process must leave, cancel it, which makes it checkpoint, and hand it back."""
        work = asyncio.ensure_future(self._kinds[claim.kind](claim))
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
            return await work
        except asyncio.CancelledError:
            if self._stopping.is_set() and work.cancelled():
                return HandedBack()
            work.cancel()
            raise
        finally:
            stop.cancel()


def _first(group: ExceptionGroup[Exception]) -> Exception:
    found: Exception = group
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found
