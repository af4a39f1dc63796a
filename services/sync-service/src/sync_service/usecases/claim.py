"""A run that this worker has: its checkpoints, which fail as soon as somebody else has it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.clock import Clock
from contracts.employees import SyncCounts
from contracts.events import Event
from sync_service.domain import runs
from sync_service.domain.employee import Author
from sync_service.domain.runs import Run
from sync_service.domain.standing import Standing
from sync_service.ports import Directory, Runs, Standings

SYNC = "sync"


class ClaimLost(Exception):
    """Another worker has the run now, or the settings ask for another round: go no further."""


class Claim:
    """`run` and `standing` are as they were saved last."""

    def __init__(
        self,
        run: Run,
        standing: Standing,
        directory: Directory,
        *,
        runs: Runs,
        standings: Standings,
        clock: Clock,
        lease: timedelta,
        progress: float,
    ) -> None:
        """`progress` is how many seconds lie between two marks that tell how far it has come."""
        self.run = run
        self.standing = standing
        self.directory = directory
        self._runs = runs
        self._standings = standings
        self._clock = clock
        self._lease = lease
        self._progress = progress
        self._requests = directory.requests
        self._shown_at = clock.monotonic()

    @property
    def tenant(self) -> str:
        return self.run.tenant

    @property
    def author(self) -> Author:
        return Author(self.run.author, SYNC)

    def now(self) -> datetime:
        return self._clock.now()

    async def advance(self, change: Callable[[Standing], Standing], events: tuple[Event, ...] = ()) -> None:
        """Save where the sync stands. Raises ClaimLost; a change of the settings meanwhile is kept."""
        while True:
            saved = await self._standings.save(change(self.standing), events)
            if saved is not None:
                self.standing = saved
                return
            latest = await self._standings.get(self.tenant)
            if latest is None or latest.session != self.run.session or latest.round != self.standing.round:
                raise ClaimLost
            self.standing = latest

    async def count(self, counts: SyncCounts, phase: str) -> None:
        """Add to what the run did, and say that this worker is alive. Raises ClaimLost.

        `phase` is what it is at; from time to time everybody who listens is told.
        """
        requests = self.directory.requests
        spent = counts + SyncCounts(requests=requests - self._requests)
        self._requests = requests
        saved = await self._runs.save(*runs.went_on(self.run, spent, self._clock.now(), self._lease))
        if saved is None:
            raise ClaimLost
        self.run = saved
        if self._clock.monotonic() - self._shown_at >= self._progress:
            self._shown_at = self._clock.monotonic()
            await self._runs.show(runs.progressed(saved, phase, self._clock.now()))


def taken(standing: Standing, session: str) -> Standing:
    """The standing of a tenant whose bulk sync this session does."""
    return replace(standing, session=session)
