"""Take up a run that is due, do it, and say what became of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from chassis.clock import Clock
from contracts.names import JobState, SyncKind
from sync_service.domain import runs as transitions
from sync_service.domain.runs import Run
from sync_service.domain.standing import Standing
from sync_service.ports import Directories, Holding, Judge, Runs, Standings
from sync_service.usecases.claim import Claim, ClaimLost

log = structlog.get_logger(__name__)

Work = Callable[[Claim], Awaitable[tuple[str, ...]]]
"""Does a run and gives its warnings; errors are judged."""

_DUE_AT_ONCE = 20


@dataclass(frozen=True)
class Pace:
    """Durations in seconds.

    A worker that gave no sign for `lease` is dead. `ladder`: before the 2nd, 3rd … attempt, and there is none after it.
    `busy`: until another look at a run that has to wait for another one of its tenant. `progress`: between two marks.
    """

    lease: float
    ladder: tuple[float, ...]
    busy: float
    progress: float


class ExecuteRun:
    def __init__(
        self,
        *,
        runs: Runs,
        standings: Standings,
        directories: Directories,
        work: Mapping[SyncKind, Work],
        judge: Judge,
        clock: Clock,
        pace: Pace,
        new_session: Callable[[], str],
    ) -> None:
        self._runs = runs
        self._standings = standings
        self._directories = directories
        self._work = work
        self._judge = judge
        self._clock = clock
        self._pace = pace
        self._new_session = new_session

    async def due(self) -> Sequence[Run]:
        """Give some runs that somebody should take up."""
        return await self._runs.due(self._clock.now(), _DUE_AT_ONCE)

    async def __call__(self, found: Run) -> bool:
        """Do the run; False when it is not to be done now, or somebody else has it."""
        run = await self._claimed(found)
        if run is None:
            return False
        try:
            await self._done(run)
        except asyncio.CancelledError:
            await self._put_back(run, 0.0)
            raise
        except ClaimLost:
            await self._put_back(run, self._pace.busy)
        except Exception as error:  # noqa: BLE001 - the boundary: what a run ends in is decided here
            await self._failed(run, error)
        return True

    async def _claimed(self, found: Run) -> Run | None:
        now = self._clock.now()
        others = await self._runs.running(found.tenant, now)
        bulk = [other for other in others if other.id != found.id and not other.kind.names_users]
        if bulk and not found.kind.names_users:
            later = now + timedelta(seconds=self._pace.busy)
            await self._runs.save(transitions.put_back(found, later, failed=False))
            return None
        lease = timedelta(seconds=self._pace.lease)
        return await self._runs.save(*transitions.claimed(found, self._new_session(), now, lease))

    async def _done(self, run: Run) -> None:
        standing = await self._standings.get(run.tenant) or Standing(run.tenant)
        async with self._directories.open(run.tenant) as directory:
            claim = Claim(
                run,
                standing,
                directory,
                runs=self._runs,
                standings=self._standings,
                clock=self._clock,
                lease=timedelta(seconds=self._pace.lease),
                progress=self._pace.progress,
            )
            warnings = await self._work[run.kind](claim)
        if await self._runs.save(*transitions.finished(claim.run, warnings, self._clock.now())) is None:
            raise ClaimLost

    async def _failed(self, run: Run, error: Exception) -> None:
        verdict = self._judge(error)
        ours = await self._ours(run)
        if ours is None:
            return
        now = self._clock.now()
        if isinstance(verdict, Holding):
            due_at = now + timedelta(seconds=verdict.recheck)
            await self._runs.save(*transitions.held(ours, verdict.reason, verdict.detail, now, due_at))
        elif ours.attempt >= len(self._pace.ladder):
            await self._runs.save(*transitions.failed(ours, verdict.error, verdict.detail, now))
        else:
            due_at = now + timedelta(seconds=self._pace.ladder[ours.attempt])
            await self._runs.save(transitions.put_back(ours, due_at, failed=True, detail=verdict.detail))

    async def _put_back(self, run: Run, seconds: float) -> None:
        ours = await self._ours(run)
        if ours is not None:
            due_at = self._clock.now() + timedelta(seconds=seconds)
            await self._runs.save(transitions.put_back(ours, due_at, failed=False))

    async def _ours(self, run: Run) -> Run | None:
        """The run as it is stored, if it is still this session's."""
        latest = await self._runs.get(run.tenant, run.id)
        return latest if latest and latest.session == run.session and latest.state is JobState.RUNNING else None
