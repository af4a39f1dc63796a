"""Execute a backup job: open a session, read the resource into it, verify what was committed, sum up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from backup_engine import Repository
from backup_engine.errors import AlreadyCommitted
from backup_engine.model import Snapshot, VerificationReport
from backup_engine.session import Session
from backup_service.domain.item_errors import shown
from backup_service.domain.jobs import Claim, Finished
from backup_service.ports import Jobs, Repositories, RestorePoints, Tenants
from backup_service.usecases.reading.checkpoints import BackupPace, announced
from backup_service.usecases.reading.resource import ResourceBackup, counts_of
from backup_service.usecases.reading.sources import READERS, SourceReader
from backup_service.usecases.retention import Keeper
from backup_service.usecases.uninterrupted import uninterrupted
from chassis import telemetry
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import JobState, Source
from contracts.views import ItemProblem, RestorePoint, Verification
from graph_client.errors import NotFound

Verify = Callable[[], Sequence[VerificationReport]]


Lost = Callable[[str, str, str], Awaitable[None]]
"""Told of a tenant's resource (id, name) that a job did not find any more."""


class RunBackup:
    """Executes one claim. Raises what its ports raise; the caller judges it."""

    def __init__(
        self,
        *,
        tenants: Tenants,
        repositories: Repositories,
        jobs: Jobs,
        points: RestorePoints,
        lost: Lost,
        clock: Clock,
        pace: BackupPace,
        readers: Mapping[Source, type[SourceReader]] = READERS,
    ) -> None:
        self._tenants = tenants
        self._repositories = repositories
        self._jobs = jobs
        self._points = points
        self._lost = lost
        self._clock = clock
        self._pace = pace
        self._readers = readers

    async def __call__(self, claim: Claim) -> Finished:
        repository = await self._repositories.open(claim.tenant, claim.target)
        keeper = Keeper(repository, claim)
        try:
            session = await self._open_session(repository, claim, keeper)
        except AlreadyCommitted as committed:
            # The worker before us died between the commit and its report: its restore point is the result.
            snapshot = await uninterrupted(repository.snapshot, claim.shard, committed.snapshot_id)
            await self._jobs.checkpointed(claim, 0, announced(snapshot.packs), counts_of(snapshot))
            verify = partial(_verified, repository, claim.shard, snapshot.id)
            return await self._report(claim, repository, snapshot, verify, counts_of(snapshot))
        async with self._tenants.backup(claim.tenant) as workloads:
            resource = ResourceBackup(
                claim,
                workloads,
                session,
                keeper=keeper,
                jobs=self._jobs,
                clock=self._clock,
                pace=self._pace,
                readers=self._readers,
            )
            try:
                try:
                    await resource.read_changes()
                except NotFound:
                    # A folder or an item that is gone is no error: it is the mailbox itself.
                    await self._lost(claim.tenant, claim.resource, claim.resource_name)
                    raise
                with telemetry.span("snapshot", tenant=claim.tenant, job=claim.job) as span:
                    snapshot = await resource.commit()
                    span.set_attribute("tenantkeep.snapshot", snapshot.id)
            except asyncio.CancelledError:
                await resource.hand_back()
                await asyncio.to_thread(session.abort)
                raise
            except BaseException:
                await asyncio.to_thread(session.abort)
                raise
            return await self._report(claim, repository, snapshot, session.verify, resource.counts())

    async def _open_session(self, repository: Repository, claim: Claim, keeper: Keeper) -> Session:
        # Both ask storage, and neither needs the other's answer.
        parent, keep_until = await asyncio.gather(
            uninterrupted(repository.newest, claim.shard), uninterrupted(keeper.begin, self._clock.now())
        )
        # A thread that went on opening after the job was handed back could take over from the worker that has it now.
        return await uninterrupted(
            repository.open_session,
            claim.shard,
            claim.session,
            parent=None if parent is None else parent.id,
            adopt=claim.previous,
            keep_until=keep_until,
        )

    async def _report(
        self, claim: Claim, repository: Repository, snapshot: Snapshot, verify: Verify, counts: Counts
    ) -> Finished:
        """Verify what was committed, make the restore point known, and sum up."""
        with telemetry.span("verify", tenant=claim.tenant, snapshot=snapshot.id):
            reports = list(await uninterrupted(verify))
            now = self._clock.now()
            await uninterrupted(repository.checks.attest, snapshot, reports, at=now)
        point = _restore_point(claim, snapshot, reports, now)
        await self._points.add_restore_point(point.model_copy(update={"by_source": counts.by_source}))
        final = {
            "listed": snapshot.listed,
            "failed": len(snapshot.failed),
            "skipped": len(snapshot.skipped),
            "bytes_stored": snapshot.stored_bytes,
            # V0 covers folders too; they are no items.
            "verified": reports[0].covered - (reports[0].denominator - snapshot.items),
        }
        return _finished(snapshot, reports, counts.model_copy(update=final))


def _verified(repository: Repository, shard: str, snapshot: str) -> Sequence[VerificationReport]:
    """Levels 0 and 1 of a restore point that somebody else has committed."""
    return repository.verify(shard, snapshot, level=0), repository.verify(shard, snapshot, level=1)


def _restore_point(claim: Claim, snapshot: Snapshot, reports: list[VerificationReport], at: datetime) -> RestorePoint:
    return RestorePoint(
        tenant=claim.tenant,
        id=snapshot.id,
        configuration=claim.configuration,
        resource=claim.resource,
        resource_name=claim.resource_name,
        taken_at=snapshot.taken_at,
        expires_at=snapshot.expires_at,
        complete=snapshot.complete,
        items=snapshot.items,
        bytes=snapshot.bytes,
        failed_items=len(snapshot.failed),
        content_digest=snapshot.content.hex(),
        retention_class=snapshot.retention_class,
        immutable_until=snapshot.locked_until,
        verified=tuple(
            Verification(
                level=0 if report.level == 0 else 1,
                at=at,
                covered=report.covered,
                denominator=report.denominator,
                problems=len(report.problems),
            )
            for report in reports
        ),
    )


def _finished(snapshot: Snapshot, reports: list[VerificationReport], counts: Counts) -> Finished:
    errors = [ItemProblem(item=f.key, error=ErrorClass(f.reason), detail=f.detail) for f in snapshot.failed]
    errors += [
        ItemProblem(item=problem.key, error=ErrorClass.INTEGRITY, detail=f"{problem.kind}: {problem.detail}")
        for report in reports
        for problem in report.problems
    ]
    skipped = [ItemProblem(item=s.key, error=ErrorClass(s.reason), detail=s.detail) for s in snapshot.skipped]
    state = JobState.PARTIAL if errors else JobState.SUCCEEDED
    return Finished(state, counts, snapshot.id, None, shown(errors), shown(skipped))
