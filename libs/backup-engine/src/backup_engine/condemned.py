"""What collectors have condemned, as a writer sees it (format, section 17).

Condemning is for ever: a name that stands in one list is relied on by no writer again, whether its object is still
there, spared or long deleted. Therefore no list is ever taken back, a collector that stalls and wakes up years later
does no harm, and neither does an index object that a stalled writer publishes after its packs have gone.
"""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backup_engine import names
from backup_engine.errors import IntegrityError
from backup_engine.header import Kind
from backup_engine.index import BlobIndex
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Verdict:
    """One `gc/<n>/condemned`."""

    at: datetime  # the collector's clock; for the grace only
    packs: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    snapshots: frozenset[str] = frozenset()  # commit names
    full: bool = False  # repeats everything condemned before

    def __bool__(self) -> bool:
        return bool(self.packs or self.sessions or self.snapshots)


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run of a collector."""

    n: int
    verdict: Verdict
    done: bool


class Condemned:
    """The union of all verdicts this process has read; it only grows. Thread-safe."""

    def __init__(self, storage: Storage, objects: SealedObjects, index: BlobIndex) -> None:
        self._storage = storage
        self._objects = objects
        self._index = index
        self._lock = threading.Lock()
        self._read: dict[int, Verdict] = {}
        self.packs: frozenset[str] = frozenset()
        self.sessions: frozenset[str] = frozenset()
        self.snapshots: frozenset[str] = frozenset()

    def refresh(self) -> Run | None:
        """Take in the verdicts that appeared since: one listing, one read for each. The newest run, if any.

        Raises IntegrityError when one cannot be read: a writer that does not know what is condemned must not commit.
        """
        with self._lock:
            listed = {info.key for info in self._storage.list(names.GC)}
            newest = max(map(names.run_number, listed), default=0)
            if not newest:
                return None
            self._read_back(newest)
            return Run(newest, self._read[newest], names.done(newest) in listed)

    def _read_back(self, newest: int) -> None:
        """From the newest to the last one that repeats everything or is known."""
        fresh: dict[int, Verdict] = {}
        for n in range(newest, 0, -1):
            if n in self._read:
                break
            fresh[n] = _decoded(self._objects.require(names.condemned(n), Kind.CONDEMNED), names.condemned(n))
            if fresh[n].full:
                break
        self._read |= fresh
        self.packs = self.packs.union(*(one.packs for one in fresh.values()))
        self.sessions = self.sessions.union(*(one.sessions for one in fresh.values()))
        self.snapshots = self.snapshots.union(*(one.snapshots for one in fresh.values()))
        if fresh:
            self._index.avoid(self.packs)


def encode(verdict: Verdict) -> dict[str, Any]:
    return {
        "at": verdict.at.isoformat(),
        "full": verdict.full,
        "packs": sorted(verdict.packs),
        "sessions": sorted(verdict.sessions),
        "snapshots": sorted(verdict.snapshots),
    }


def _decoded(payload: dict[str, Any], name: str) -> Verdict:
    try:
        return Verdict(
            datetime.fromisoformat(payload["at"]),
            frozenset(payload["packs"]),
            frozenset(payload["sessions"]),
            frozenset(payload["snapshots"]),
            payload["full"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no list of what is condemned", key=name) from error
