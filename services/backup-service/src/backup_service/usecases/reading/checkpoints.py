"""When a reading is made durable, and who is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backup_engine.model import PackRef
from backup_engine.session import Session
from backup_service.domain.cursor import Cursor
from backup_service.domain.jobs import Claim
from backup_service.ports import Jobs
from backup_service.usecases.uninterrupted import uninterrupted
from chassis.clock import Clock
from contracts.events import Counts


@dataclass(frozen=True)
class BackupPace:
    """When to checkpoint and to show progress; seconds and bytes. `parallel` items are fetched at once.

    Every `full_look_seconds` a source is compared as a whole with what is stored of it.
    """

    checkpoint_seconds: float = 60.0
    checkpoint_bytes: int = 1 << 30
    progress_seconds: float = 1.0
    parallel: int = 4
    full_look_seconds: float = 7 * 86_400.0


class Checkpoints:
    """Of one session. The cursor document goes into every checkpoint; nothing else knows where a reading stands."""

    def __init__(
        self, claim: Claim, session: Session, cursor: Cursor, *, jobs: Jobs, clock: Clock, pace: BackupPace
    ) -> None:
        self._claim = claim
        self._session = session
        self._cursor = cursor
        self._jobs = jobs
        self._clock = clock
        self._pace = pace
        self._shown_at = self._made_at = clock.monotonic()
        self._uncommitted = 0

    def took(self, size: int) -> None:
        """Bytes were put into the session."""
        self._uncommitted += size

    async def due(self, counts: Callable[[], Counts]) -> None:
        """Make a checkpoint if it is time, else show progress if it is time. Raises SessionLost."""
        now = self._clock.monotonic()
        if now - self._made_at >= self._pace.checkpoint_seconds or self._uncommitted >= self._pace.checkpoint_bytes:
            await self.make(counts)
        elif now - self._shown_at >= self._pace.progress_seconds:
            self._shown_at = now
            await self._jobs.progress(self._claim, counts(), "reading")

    async def make(self, counts: Callable[[], Counts]) -> None:
        done = await uninterrupted(self._session.checkpoint, self._cursor.dump())
        stored = self._cursor.tally.get("bytes_stored", 0) + sum(pack.size for pack in done.packs)
        self._cursor.tally["bytes_stored"] = stored
        await self._jobs.checkpointed(self._claim, done.n, announced(done.packs), counts())
        self._made_at = self._shown_at = self._clock.monotonic()
        self._uncommitted = 0

    async def announce_adopted(self, counts: Callable[[], Counts]) -> None:
        """Whoever died after a checkpoint may not have told of its packs; told twice, they are told once."""
        if self._session.packs:
            await self._jobs.checkpointed(self._claim, 0, announced(self._session.packs), counts())


def announced(packs: Sequence[PackRef]) -> list[tuple[str, int, str]]:
    """Packs as ports.Jobs tells of them."""
    return [(pack.key, pack.size, pack.sha256) for pack in packs]
