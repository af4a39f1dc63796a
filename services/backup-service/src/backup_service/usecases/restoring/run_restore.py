"""Execute a restore job: find the mailbox, have every source restore, sum up.

A repeated or resumed restore makes no second copy: everything created carries a tag that names restore and item.
"""

from backup_service.domain.item_errors import shown
from backup_service.domain.jobs import Claim, Finished, failed
from backup_service.domain.mail import Mailbox
from backup_service.ports import Jobs, Repositories, RestoreTarget, Tenants
from backup_service.usecases.restoring.frame import RestoreFrame, RestorePace
from backup_service.usecases.restoring.sources import RESTORERS
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.names import JobState
from graph_client.errors import Forbidden, NotFound

NO_MAILBOX = "the mailbox does not exist (any more): restore into another user, or export the restore point"


class RunRestore:
    """Executes one claim. Raises what its ports raise; the caller judges it."""

    def __init__(
        self, tenants: Tenants, repositories: Repositories, jobs: Jobs, *, clock: Clock, pace: RestorePace
    ) -> None:
        self._tenants = tenants
        self._repositories = repositories
        self._jobs = jobs
        self._clock = clock
        self._pace = pace

    async def __call__(self, claim: Claim) -> Finished:
        order = claim.restore
        assert order is not None, "a restore job has an order"
        repository = await self._repositories.open(claim.tenant, claim.target)
        async with self._tenants.restore(claim.tenant) as target:
            mailbox = await _mailbox(target, order.target_user)
            if mailbox is None:
                return failed(ErrorClass.NOT_FOUND, NO_MAILBOX)
            frame = RestoreFrame(
                claim,
                order,
                repository,
                mailbox,
                jobs=self._jobs,
                clock=self._clock,
                pace=self._pace,
                requests=lambda: target.requests,
            )
            await _restore(frame, target)
            frame.tell_unknown()
            return _finished(frame)


async def _mailbox(target: RestoreTarget, user: str) -> Mailbox | None:
    try:
        return await target.resolve(user)
    except NotFound:
        return None


async def _restore(frame: RestoreFrame, target: RestoreTarget) -> None:
    """One source after the other; a permission that is missing for one of them does not cost the others."""
    for source, restorer in RESTORERS.items():
        if not frame.order.asks_for(source):
            continue
        try:
            await restorer(target, frame).restore()
        except* Forbidden as group:
            frame.refuse(source, _first(group))
    frame.raise_if_all_refused()


def _first(group: BaseExceptionGroup[Forbidden]) -> Forbidden:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _finished(frame: RestoreFrame) -> Finished:
    state = JobState.PARTIAL if len(frame.problems) else JobState.SUCCEEDED
    return Finished(
        state,
        frame.counts(),
        frame.order.restore_point,
        item_errors=shown(frame.problems.all()),
        restored=frame.report(),
        unrestored=tuple(frame.problems.all()),
    )
