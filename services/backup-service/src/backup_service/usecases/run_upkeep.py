"""Execute the upkeep of a repository: verify the next share of it, restore a sample into scratch, maintain it."""

import asyncio
import hashlib
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from backup_engine import AffectedItems, DrillReport, Problem, Reading, RollingReport
from backup_engine.maintenance import MaintenanceReport as Maintained
from backup_service.domain.item_errors import shown
from backup_service.domain.jobs import Claim, Finished, failed
from backup_service.ports import Jobs, Repositories
from backup_service.ports.upkeep import Proofs
from chassis.clock import Clock
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import JobState
from contracts.upkeep import CheckReport, MaintenanceReport, ObjectProblem
from contracts.views import ItemProblem, Verification

T = TypeVar("T")
_SHOWN = 100


@dataclass(frozen=True)
class UpkeepPace:
    """`share` of a repository one verification reads; `drill_items` a drill restores, into a folder below `scratch`."""

    share: float
    drill_items: int
    scratch: Path
    progress_seconds: float = 1.0


class Upkeep:
    """What the three kinds share: a blocking call of the engine that shows progress and can be told to stop."""

    def __init__(
        self, repositories: Repositories, jobs: Jobs, proofs: Proofs, *, clock: Clock, pace: UpkeepPace
    ) -> None:
        self.repositories = repositories
        self.proofs = proofs
        self.clock = clock
        self.pace = pace
        self._jobs = jobs

    async def run(self, claim: Claim, phase: str, call: Callable[["Watched"], T]) -> T:
        """Run `call` in a thread. Who cancels it waits until the call has ended, which `Watched` tells it to."""
        watched = Watched()
        work = asyncio.ensure_future(asyncio.to_thread(call, watched))
        try:
            while not (await asyncio.wait({work}, timeout=self.pace.progress_seconds))[0]:
                await self._jobs.progress(claim, watched.counts(), phase)
            return work.result()
        finally:
            watched.stopped.set()
            await asyncio.wait({work})
            work.exception()  # whatever it was, the caller knows or is leaving


class Watched:
    """How far the call has come, and whether it is to stop."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._reading = Reading(0, 0, 0)

    def __call__(self, reading: Reading) -> bool:
        self._reading = reading
        return not self.stopped.is_set()

    def counts(self) -> Counts:
        reading = self._reading
        return Counts(listed=reading.of, verified=reading.objects, bytes_read=reading.bytes)


class RunVerify:
    """Executes a verify claim: the next share of everything stored, or all of it."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def __call__(self, claim: Claim) -> Finished:
        repository = await self._upkeep.repositories.open(claim.tenant, claim.target)
        share = 1.0 if claim.whole else self._upkeep.pace.share
        rolling = partial(repository.checks.rolling, at=self._upkeep.clock.now(), session=claim.session, share=share)
        found = await self._upkeep.run(claim, "verifying", lambda watched: rolling(watch=watched))
        affected = None if found.affected is None else _items_by_point(found.affected)
        await self._upkeep.proofs.read_whole(claim.tenant, claim.target, found.read_since, affected)
        return _verified(found)


class RunDrill:
    """Executes a restore-drill claim: random items are restored into scratch and compared with the manifest."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def __call__(self, claim: Claim) -> Finished:
        repository = await self._upkeep.repositories.open(claim.tenant, claim.target)
        now, pace = self._upkeep.clock.now(), self._upkeep.pace
        # Whoever repeats the job draws another sample; whoever asks which one it was finds the session in the job.
        seed = int.from_bytes(hashlib.sha256(claim.session.encode()).digest()[:8], "big")

        def drill(watched: Watched) -> DrillReport:
            pace.scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="drill-", dir=pace.scratch) as scratch:
                return repository.checks.drill(
                    at=now, seed=seed, items=pace.drill_items, scratch=Path(scratch), watch=watched
                )

        found = await self._upkeep.run(claim, "restoring", drill)
        for point in found.drilled:
            level = Verification(
                level=3, at=now, covered=point.sound, denominator=point.sampled, problems=point.sampled - point.sound
            )
            await self._upkeep.proofs.drilled(claim.tenant, point.snapshot, level)
        return _drilled(found)


class RunMaintain:
    """Executes a maintain claim: what has expired goes, index and packs are kept in shape."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def __call__(self, claim: Claim) -> Finished:
        repository = await self._upkeep.repositories.open(claim.tenant, claim.target)
        now = self._upkeep.clock.now()
        return _maintained(await self._upkeep.run(claim, "maintaining", lambda _: repository.maintain(now)))


def _items_by_point(affected: tuple[AffectedItems, ...]) -> dict[str, int]:
    """How many items of each restore point are lost; -1: all of them."""
    return {one.snapshot: -1 if one.keys is None else len(one.keys) for one in affected}


def _verified(found: RollingReport) -> Finished:
    """New damage that costs items fails the job; what was repaired, or is known, makes it partial."""
    report = found.report
    check = CheckReport(
        level=2,
        covered=report.covered,
        denominator=report.denominator,
        population=found.objects,
        bytes=report.bytes,
        receipt=found.receipt.n,
        read_since=found.read_since,
        problem_count=len(report.problems),
        problems=_problems(report.problems),
        affected_items=sum(len(one.keys or ()) for one in found.affected or ()),
        repaired_blobs=found.repaired.blobs,
        repaired_packs=found.repaired.packs,
    )
    counts = Counts(
        listed=report.denominator, verified=report.covered, failed=len(report.problems), bytes_read=report.bytes
    )
    lost = [problem for one in found.affected or () for problem in _lost(one)]
    if found.affected and found.damage is not None and found.damage.objects:
        detail = f"{len(found.damage.objects)} stored objects are damaged; {len(lost)} items are affected"
        return _ended(failed(ErrorClass.INTEGRITY, detail, counts), check, lost)
    state = JobState.SUCCEEDED if report.good else JobState.PARTIAL
    return _ended(Finished(state, counts), check, lost)


def _drilled(found: DrillReport) -> Finished:
    report = found.report
    check = CheckReport(
        level=3,
        covered=report.covered,
        denominator=report.denominator,
        population=found.population,
        bytes=report.bytes,
        receipt=found.receipt.n,
        problem_count=len(report.problems),
        problems=_problems(report.problems),
    )
    counts = Counts(
        listed=report.denominator, verified=report.covered, failed=len(report.problems), bytes_read=report.bytes
    )
    faults = [ItemProblem(item=p.key, error=ErrorClass.INTEGRITY, detail=p.detail) for p in report.problems]
    if faults:
        detail = f"{report.covered} of {report.denominator} items came back as they were stored"
        return _ended(failed(ErrorClass.INTEGRITY, detail, counts), check, faults)
    return _ended(Finished(JobState.SUCCEEDED, counts), check, [])


def _ended(end: Finished, check: CheckReport, faults: list[ItemProblem]) -> Finished:
    return Finished(end.state, end.counts, fatal=end.fatal, item_errors=shown(faults), check=check)


def _maintained(done: Maintained) -> Finished:
    told = MaintenanceReport(
        expired=len(done.expired),
        deleted=done.deleted,
        deleted_bytes=done.deleted_bytes,
        locked=len(done.locked),
        rewritten=done.rewritten,
        merged=done.merged,
        packs=done.packs,
        stored_bytes=done.stored_bytes,
        waste_bytes=done.waste.total,
        sweep_after=done.sweep_after,
        problems=_problems(done.problems),
    )
    if done.blocked:
        detail = f"nothing was removed: {done.blocked[0].key} cannot be read"
        end = failed(ErrorClass.INTEGRITY, detail)
        return Finished(end.state, end.counts, fatal=end.fatal, maintenance=told)
    return Finished(JobState.SUCCEEDED if done.good else JobState.PARTIAL, Counts(), maintenance=told)


def _lost(one: AffectedItems) -> list[ItemProblem]:
    where = f"restore point {one.snapshot} of {one.shard}"
    if one.keys is None:
        return [ItemProblem(item=one.snapshot, error=ErrorClass.INTEGRITY, detail=f"{where}: its list cannot be read")]
    return [ItemProblem(item=key, error=ErrorClass.INTEGRITY, detail=where) for key in one.keys]


def _problems(problems: tuple[Problem, ...]) -> tuple[ObjectProblem, ...]:
    return tuple(ObjectProblem(kind=p.kind, key=p.key, detail=p.detail) for p in problems[:_SHOWN])
