"""What one call of Repository.maintain did, and what it had to leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup_engine.model import Problem
from backup_engine.storage.base import CLOCKS_AGREE


@dataclass(frozen=True, slots=True)
class Waste:
    """Bytes of packs in storage that no restore point needs, by why they are still there."""

    waiting: int = 0  # condemned, the grace has not passed
    locked: int = 0  # condemned, the store refuses to delete them yet
    sparse: int = 0  # the part of packs in use that nothing needs

    @property
    def total(self) -> int:
        return self.waiting + self.locked + self.sparse


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """`blocked` names what could not be read: then nothing was condemned or deleted and a person must look."""

    run: int | None = None  # the collection under way or just ended; None when there was nothing to collect
    sweep_after: datetime | None = None  # when the condemned may be deleted; None when nothing waits
    expired: tuple[str, ...] = ()  # commit names of the restore points removed
    fenced: tuple[str, ...] = ()  # sessions given up for dead in this call
    deleted: int = 0  # objects, the restore points included
    deleted_bytes: int = 0
    spared: tuple[str, ...] = ()  # condemned packs that are needed after all
    locked: tuple[str, ...] = ()  # objects whose removal the store refused: later
    rewritten: int = 0  # sparse packs copied into new ones
    merged: int = 0  # index objects replaced by merged files
    packs: int = 0  # in storage when the call ended
    stored_bytes: int = 0  # of these packs
    waste: Waste = Waste()
    blocked: tuple[Problem, ...] = ()
    damaged: tuple[Problem, ...] = ()  # packs that could not be rewritten; the verification judges them
    clock_ahead: timedelta = timedelta(0)  # of the caller's time before the storage's, which counted then

    @property
    def good(self) -> bool:
        return not self.problems

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything a person must look at."""
        return (*self.blocked, *self.damaged, *self._clock())

    def _clock(self) -> Iterator[Problem]:
        if self.clock_ahead > CLOCKS_AGREE:
            seconds = int(self.clock_ahead.total_seconds())
            detail = f"this machine's clock is {seconds} seconds ahead of the storage's, which counted: set it by NTP"
            yield Problem("clock", "storage", detail)
