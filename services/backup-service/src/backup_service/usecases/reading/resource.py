"""Read one resource into one session: every source of the job in turn, checkpoints on the way, one restore point."""

from collections import Counter
from collections.abc import Mapping

import structlog

from backup_engine.model import Snapshot
from backup_engine.session import Session
from backup_service.domain.cursor import Cursor, CursorUnreadable
from backup_service.domain.jobs import Claim
from backup_service.ports import Jobs, Workloads
from backup_service.usecases.reading.checkpoints import BackupPace, Checkpoints
from backup_service.usecases.reading.frame import Frame
from backup_service.usecases.reading.sources import READERS, SourceReader
from backup_service.usecases.retention import Keeper
from backup_service.usecases.uninterrupted import uninterrupted
from chassis.clock import Clock
from contracts.events import Counts, SourceCounts
from contracts.names import Source

log = structlog.get_logger()


class ResourceBackup:
    """One pass over one resource, writing into one session."""

    def __init__(
        self,
        claim: Claim,
        workloads: Workloads,
        session: Session,
        *,
        keeper: Keeper,
        jobs: Jobs,
        clock: Clock,
        pace: BackupPace,
        readers: Mapping[Source, type[SourceReader]] = READERS,
    ) -> None:
        self._claim = claim
        self._workloads = workloads
        self._session = session
        self._keeper = keeper
        self._clock = clock
        self._pace = pace
        self._readers = readers
        self._cursor = _cursor(session.cursor)
        self._cursor.belongs_to(claim.job)
        self._requests_before = self._cursor.tally.get("requests", 0)
        self._frames: dict[Source, Frame] = {}
        # Of sources that this job does not read: what is stored of them stays as it is.
        self._carried = 0
        self._checkpoints = Checkpoints(claim, session, self._cursor, jobs=jobs, clock=clock, pace=pace)

    async def read_changes(self) -> None:
        """Bring the session's state to that of the resource."""
        await self._checkpoints.announce_adopted(self.counts)
        await uninterrupted(self._make_frames)
        for source, frame in self._frames.items():
            await self._readers[source](self._workloads, frame).read()
            await frame.flush()

    async def commit(self) -> Snapshot:
        """Make the last checkpoint, so that its packs are announced, then the restore point."""
        for source, frame in self._frames.items():
            found = frame.found()
            if found != frame.expected:
                # Items that came or went during the run explain it; a gap that stays from run to run does not.
                log.warning(
                    "the source counts other items than were found", source=source, counted=frame.expected, found=found
                )
            frame.expected = 0
        if self._session.unsaved:
            await self._checkpoints.make(self.counts)
        listed = self.counts().listed  # which puts the requests so far into the cursor
        for source, frame in self._frames.items():
            self._cursor.section(source).counted = frame.figures()
        now = self._clock.now()
        failed = [item for frame in self._frames.values() for item in frame.failed.values()]
        kept = await self._keeper.decide(now, complete=not failed)
        return await uninterrupted(
            self._session.commit,
            self._cursor.dump(),
            listed=listed,
            skipped=[item for frame in self._frames.values() for item in frame.skipped.values()],
            failed=failed,
            taken_at=now,
            label=self._claim.resource_name,
            expires_at=kept.expires_at,
            retention_class=kept.name,
        )

    async def hand_back(self) -> None:
        """One last checkpoint before leaving, so that the next worker goes on from here. Failing costs only time."""
        try:
            await self._checkpoints.make(self.counts)
        except Exception as error:  # noqa: BLE001 - the job is handed back either way
            log.warning("no last checkpoint; the next worker goes on from the one before", reason=str(error))

    def counts(self) -> Counts:
        """What has been done so far, by this worker and those it took over from."""
        self._cursor.tally["requests"] = self._requests_before + self._workloads.requests()
        total = Counter({**self._cursor.tally, "listed": self._carried, "unchanged": self._carried})
        figures = {source.value: frame.figures() for source, frame in self._frames.items()}
        for one in figures.values():
            total.update(one)
        return Counts(**total, by_source=_by_source(figures))

    def _make_frames(self) -> None:
        """In a thread: one pass over all rows, and a look at what the storage has lost."""
        held = self._session.bodies()
        lost = self._session.unreadable()
        for source in self._claim.sources:
            kinds = self._readers[source].kinds
            self._frames[source] = Frame(
                self._claim,
                self._session,
                self._cursor.section(source),
                lost=[row.key for row in lost if row.kind in kinds],
                held=sum(held[kind] for kind in kinds),
                pace=self._pace,
                clock=self._clock,
                checkpoints=self._checkpoints,
                counts=self.counts,
            )
            for kind in kinds:
                del held[kind]
        self._carried = held.total()


def counts_of(snapshot: Snapshot) -> Counts:
    """What the worker that committed it had counted."""
    cursor = _cursor(snapshot.cursor)
    total = Counter(cursor.tally)
    for section in cursor.sections.values():
        total.update(section.tally)
    counted = {source: section.counted for source, section in cursor.sections.items() if section.counted}
    unchanged = max(0, snapshot.items - total["stored"])
    return Counts(**{**total, "unchanged": unchanged}, by_source=_by_source(counted))


def _by_source(figures: Mapping[str, Mapping[str, int]]) -> dict[str, SourceCounts]:
    return {source: SourceCounts.model_validate(one) for source, one in figures.items()}


def _cursor(stored: bytes | None) -> Cursor:
    """The cursor to go on from; an unreadable one costs a full enumeration, never data."""
    try:
        return Cursor.load(stored)
    except CursorUnreadable as error:
        log.warning("stored cursor cannot be used; everything is enumerated again", reason=str(error))
        return Cursor()
