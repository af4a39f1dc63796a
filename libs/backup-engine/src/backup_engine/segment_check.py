"""Segments of the item table, each read and looked up once in a check, however many restore points share it."""

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise

from backup_engine import manifest, rows
from backup_engine.backing import Backing
from backup_engine.errors import UNREADABLE, NotFound
from backup_engine.header import Kind

PackIsGone = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class SoundSegment:
    """Its bytes on top open, its rows are in order, and every blob they name is in a pack that is there."""

    rows: int  # items; removals are not counted
    first: str  # key
    last: str


class SegmentChecks:
    """What is known of the segments read so far: two keys and a number each. Thread-safe.

    Restore points of one shard share nearly all their segments: followed one by one, the references of a thousand
    restore points would be read and looked up a thousand times.
    """

    def __init__(self, backing: Backing, is_gone: PackIsGone) -> None:
        self._backing = backing
        self._is_gone = is_gone
        self._lock = threading.Lock()
        self._known: dict[str, Future[SoundSegment | None]] = {}

    def find(self, name: str) -> SoundSegment | None:
        """None for a segment that is not sound in every respect: who needs to know why looks closer.

        Raises StorageUnreachable and StorageDenied.
        """
        with self._lock:
            mine = name not in self._known
            known = self._known.setdefault(name, Future())
        if mine:
            try:
                known.set_result(self._read(name))
            except BaseException as error:
                known.set_exception(error)
                raise
        return known.result()

    def are_sound(self, segments: Sequence[str]) -> bool:
        """Whether the restore point made of these segments has every blob of every item."""
        return all(self._is_sound(run) for run in manifest.runs(segments))

    def _is_sound(self, run: Sequence[str]) -> bool:
        last: str | None = None
        for name in run:
            found = self.find(name)
            if found is None or (last is not None and found.first <= last):
                return False
            last = found.last
        return True

    def _read(self, name: str) -> SoundSegment | None:
        try:
            kind, payload = self._backing.objects.open(name, self._backing.storage.get(name))
        except (NotFound, *UNREADABLE):
            return None
        if kind is not Kind.SEGMENT:
            return None
        try:
            keys = [key for key, _ in payload["rows"]]
            idents = [ident for _, row in payload["rows"] if row is not None for ident in rows.recipe(row).ids()]
        except (KeyError, TypeError, ValueError):
            return None
        if not keys or any(key >= after for key, after in pairwise(keys)):
            return None
        if self._lacks(set(self._backing.index.holders(idents))):
            return None
        items = sum(row is not None for _, row in payload["rows"])
        return SoundSegment(items, keys[0], keys[-1])

    def _lacks(self, packs: Collection[str | None]) -> bool:
        return any(name is None or self._is_gone(name) for name in packs)
